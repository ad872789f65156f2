import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAuth, type RepositoryAuth } from '../../src/registry/authorizer.ts';
import { discard } from '../../src/registry/body.ts';
import type { CredentialSource } from '../../src/registry/credentials.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { startHttpServer, type TestServer } from '../support/http-server.ts';

/** A registry with its token server; `accept` decides which tokens are good. */
interface Scene {
  server: TestServer;
  transport: Transport;
  auth: RepositoryAuth;
  /** Scopes of each token request. */
  asked: string[][];
  accepted: Set<string>;
  get(scope?: string, signal?: AbortSignal): Promise<number>;
}

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) await close();
});

interface SceneOptions {
  /** What each token answer holds besides the token. */
  answer?: object;
  credentials?: CredentialSource;
  /** The challenge's parameters after realm, given the Authorization that was refused. */
  challenge?(authorization: string | undefined): string;
  token?(request: IncomingMessage, response: ServerResponse): boolean;
}

async function scene(options: SceneOptions = {}): Promise<Scene> {
  const asked: string[][] = [];
  const accepted = new Set<string>();
  const server = await startHttpServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const { authorization } = request.headers;
    if (url.pathname === '/token') {
      asked.push(url.searchParams.getAll('scope'));
      if (options.token?.(request, response)) return;
      const token = `token-${asked.length}`;
      accepted.add(`Bearer ${token}`);
      response.end(JSON.stringify({ token, ...options.answer }));
    } else if (accepted.has(authorization ?? '') || url.pathname === '/open') {
      response.end('yes');
    } else {
      const rest = options.challenge?.(authorization) ?? 'scope="repository:app:pull"';
      response.writeHead(401, { 'www-authenticate': `Bearer realm="/token",service="s",${rest}` }).end();
    }
  });
  const transport = createTransport({ retry: { retries: 0 } });
  closers.push(async () => {
    await transport.close();
    await server.close();
  });
  const auth = createAuth(transport, {
    registry: server.address,
    repository: 'app',
    credentials: options.credentials,
  });
  return {
    server,
    transport,
    auth,
    asked,
    accepted,
    async get(scope = 'repository:app:pull', signal) {
      const response = await transport.request({
        method: 'GET',
        url: `http://${server.address}/v2/app/blobs/x`,
        what: 'x',
        authorizer: auth.for([scope]),
        signal,
      });
      await discard(response);
      return response.status;
    },
  };
}

describe('tokens', () => {
  it('are fetched once for ten requests at a time, and kept', async () => {
    const { get, asked } = await scene();
    expect(await Promise.all(Array.from({ length: 10 }, () => get()))).toEqual(Array(10).fill(200));
    expect(await get()).toBe(200);
    expect(asked).toEqual([['repository:app:pull']]);
  });

  it('of other scopes are others', async () => {
    const { get, asked } = await scene({ challenge: () => 'x="y"' });
    await get('repository:app:pull');
    await get('repository:app:pull,push');
    await get('repository:app:pull');
    expect(asked).toEqual([['repository:app:pull'], ['repository:app:pull,push']]);
  });

  it.each([
    ['missing', {}, 60],
    ['under a minute', { expires_in: 5 }, 60],
    ['300 s', { expires_in: 300 }, 300],
    ['text', { expires_in: '300' }, 300],
    [
      'counted from the arrival, whatever issued_at says',
      { expires_in: 300, issued_at: '1999-01-01T00:00:00Z' },
      300,
    ],
    ['nonsense', { expires_in: 'soon' }, 60],
  ])('are renewed before they end: expires_in %s', async (_name, answer, lifetime) => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { get, asked } = await scene({ answer });
    await get();
    vi.setSystemTime(Date.now() + (lifetime - 15) * 1000);
    await get();
    expect(asked).toHaveLength(1);
    vi.setSystemTime(Date.now() + 10_000);
    await get();
    expect(asked).toHaveLength(2);
  });

  it('that stop working in the middle of a pull are renewed once for all', async () => {
    const { get, asked, accepted } = await scene();
    await get();
    accepted.clear();
    expect(await Promise.all(Array.from({ length: 5 }, () => get()))).toEqual(Array(5).fill(200));
    expect(asked).toHaveLength(2);
  });

  it('that never work are not asked for again and again', async () => {
    const { get, asked, accepted } = await scene();
    accepted.add = () => accepted;
    expect(await get()).toBe(401);
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('with too little scope are replaced by one with both', async () => {
    const { get, asked, accepted } = await scene({
      challenge: (authorization) =>
        authorization === undefined
          ? 'scope="repository:app:pull"'
          : 'scope="repository:base:pull",error="insufficient_scope"',
    });
    const add = accepted.add.bind(accepted);
    accepted.add = (token) => (asked.length > 1 ? add(token) : accepted);
    expect(await get()).toBe(200);
    expect(asked).toEqual([['repository:app:pull'], ['repository:app:pull', 'repository:base:pull']]);
  });

  it('of one registry are not lost to another caller’s abort', async () => {
    const controller = new AbortController();
    const { get, asked } = await scene({
      token: () => {
        controller.abort();
        return false;
      },
    });
    const [first, second] = await Promise.allSettled([get(undefined, controller.signal), get()]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ABORTED' } });
    expect(second).toMatchObject({ status: 'fulfilled', value: 200 });
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  it('may be ready-made: docker’s registrytoken', async () => {
    const { get, asked, accepted } = await scene({
      credentials: async () => ({ type: 'bearer', token: 'mine' }),
    });
    accepted.add('Bearer mine');
    expect(await get()).toBe(200);
    expect(asked).toEqual([]);
  });
});

describe('a token server', () => {
  it.each([
    ['without a token', '{}', 'UNAUTHORIZED'],
    ['with a token that would split the header', '{"token":"a\\r\\nx: y"}', 'UNAUTHORIZED'],
    ['with no JSON', 'hello', 'UNAUTHORIZED'],
    ['with 2 MiB', `"${'x'.repeat(2 << 20)}"`, 'REGISTRY_ERROR'],
  ])('that answers %s is an error', async (_name, body, code) => {
    const { get } = await scene({
      token: (_request, response) => {
        response.end(body);
        return true;
      },
    });
    await expect(get()).rejects.toMatchObject({ code });
  });

  it('that redirects to another host takes no password along', async () => {
    let seen: IncomingMessage | undefined;
    const other = await startHttpServer((request, response) => {
      seen = request;
      response.end('{"token":"t"}');
    });
    closers.push(() => other.close());
    const { get, accepted } = await scene({
      credentials: async () => ({ type: 'basic', username: 'me', password: 'secret' }),
      token: (request, response) => {
        expect(request.headers.authorization).toMatch(/^Basic /);
        response.writeHead(302, { location: `http://${other.address}/token` }).end();
        return true;
      },
    });
    accepted.add('Bearer t');
    expect(await get()).toBe(200);
    expect(seen?.headers.authorization).toBeUndefined();
  });

  it('that redirects into a private network is not followed', async () => {
    const { get } = await scene({
      token: (_request, response) => {
        response.writeHead(302, { location: 'http://169.254.169.254/latest' }).end();
        return true;
      },
    });
    await expect(get()).rejects.toMatchObject({ code: expect.stringMatching(/DENIED|REGISTRY_ERROR/) });
  });

  it('that cannot be reached is tried no more often than any other', async () => {
    const failing = await startHttpServer((_request, response) => {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://127.0.0.1:1/token"` }).end();
    });
    closers.push(() => failing.close());
    const patient = createTransport({ retry: { retries: 3, baseMs: 1, capMs: 1 } });
    closers.push(() => patient.close());
    const request = patient.request({
      method: 'GET',
      url: `http://${failing.address}/v2/`,
      what: 'x',
      authorizer: createAuth(patient, { registry: failing.address }).for([]),
    });
    await expect(request).rejects.toMatchObject({ code: 'NETWORK' });
    expect(failing.requests.filter(({ url }) => url === '/v2/').length).toBeLessThanOrEqual(2);
  });
});
