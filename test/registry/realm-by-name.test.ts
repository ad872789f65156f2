// A realm's name may resolve to anything (ggcr#2440 checks the text only): what it resolves to is checked when connecting.
import { lookup } from 'node:dns';
import { lookup as lookupAll } from 'node:dns/promises';
import { afterEach, expect, it, vi } from 'vitest';
import type { HttpResponse } from '../../src/registry/http.ts';
import { createTransport } from '../../src/registry/transport.ts';

vi.mock('node:dns');
vi.mock('node:dns/promises');

const transport = createTransport({ plainHttp: true, timeoutMs: 10_000, retry: { retries: 3, baseMs: 1 } });

afterEach(() => vi.resetAllMocks());

function resolveNames(addresses: Record<string, string>): void {
  const find = (name: string): { address: string; family: number }[] => [
    { address: addresses[name]!, family: 4 },
  ];
  vi.mocked(lookup).mockImplementation(((
    name: string,
    _options: object,
    callback: (...args: unknown[]) => void,
  ) => {
    callback(null, find(name));
  }) as never);
  vi.mocked(lookupAll).mockImplementation((async (name: string) => find(name)) as never);
}

function ask(registry: string): Promise<HttpResponse> {
  return transport.request({
    method: 'GET',
    url: 'http://auth.example.com:1/token',
    what: 'token',
    onBehalfOf: new URL(registry),
  });
}

it.each(['169.254.169.254', '10.0.0.7', '127.0.0.1'])(
  'a realm that resolves to %s is refused',
  async (address) => {
    resolveNames({ 'auth.example.com': address, 'registry.example.com': '93.184.216.34' });
    await expect(ask('http://registry.example.com')).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining(address),
    });
    expect(lookup).toHaveBeenCalledOnce();
  },
);

it('a realm on the network the registry is on itself is connected to', async () => {
  resolveNames({ 'auth.example.com': '127.0.0.1', 'registry.example.com': '127.0.0.2' });
  // Nothing listens there: getting this far is what counts.
  await expect(ask('http://registry.example.com')).rejects.toMatchObject({ code: 'NETWORK' });
});

it('a realm that resolves to a metadata service is refused even to a registry that lives next to it', async () => {
  resolveNames({ 'auth.example.com': '169.254.169.254', 'registry.example.com': '169.254.1.1' });
  await expect(ask('http://registry.example.com')).rejects.toMatchObject({ code: 'DENIED' });
});
