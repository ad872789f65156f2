import type { RequestListener } from 'node:http';
import { connect, createServer as createTcpServer } from 'node:net';
import { Agent } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { discard, readText } from '../../src/registry/body.ts';
import type { HttpResponse } from '../../src/registry/http.ts';
import { createTransport, type Transport, type TransportOptions } from '../../src/registry/transport.ts';
import { type Authority, type Certificate, createAuthority } from '../support/certificates.ts';
import { startHttpServer, type TestServer } from '../support/http-server.ts';
import { hasTools } from '../support/tools.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(listener: RequestListener, tls?: Certificate): Promise<TestServer> {
  const server = await startHttpServer(listener, tls);
  closers.push(() => server.close());
  return server;
}

function transportOf(options: TransportOptions = {}): Transport {
  const transport = createTransport({ retry: { retries: 2, baseMs: 1, capMs: 1 }, ...options });
  closers.push(() => transport.close());
  return transport;
}

function get(transport: Transport, url: string, signal?: AbortSignal): Promise<HttpResponse> {
  return transport.request({ method: 'GET', url, what: 'example', signal });
}

const ok: RequestListener = (_request, response) => void response.end('ok');

describe('where a registry is', () => {
  it('on the internet: HTTPS, without asking', async () => {
    const transport = transportOf();
    expect((await transport.origin('ghcr.io')).href).toBe('https://ghcr.io/');
    expect((await transport.origin('docker.io')).href).toBe('https://registry-1.docker.io/');
    expect((await transport.origin('10.0.0.1:5000')).href).toBe('https://10.0.0.1:5000/');
  });

  it('with --plain-http: HTTP', async () => {
    const transport = transportOf({ plainHttp: true });
    expect((await transport.origin('registry.corp:5000')).href).toBe('http://registry.corp:5000/');
  });

  it('on loopback: HTTP when it speaks no TLS, found out once', async () => {
    const server = await serve(ok);
    const transport = transportOf();
    const { port } = new URL(`http://${server.address}`);
    const origins = await Promise.all([transport.origin(server.address), transport.origin(server.address)]);
    expect(origins.map(({ origin }) => origin)).toEqual([
      `http://${server.address}`,
      `http://${server.address}`,
    ]);
    expect((await transport.origin(`localhost:${port}`)).href).toBe(`http://localhost:${port}/`);
  });

  it('on loopback: HTTP when it hangs up on TLS', async () => {
    const tcp = createTcpServer((socket) => socket.once('data', () => socket.destroy()));
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
    closers.push(async () => void (await new Promise((resolve) => tcp.close(resolve))));
    const address = tcp.address();
    const host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
    expect((await transportOf().origin(host)).protocol).toBe('http:');
  });

  it('on loopback where nothing listens: an error that says so', async () => {
    await expect(transportOf().origin('127.0.0.1:1')).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining('127.0.0.1:1: connection refused'),
    });
  });
});

describe.skipIf(!hasTools('openssl'))('TLS', () => {
  let authority: Authority;
  let good: Certificate;

  beforeAll(async () => {
    authority = await createAuthority();
    good = await authority.server();
  });

  afterAll(() => authority.remove());

  it('of an unknown authority is refused, and --ca named', async () => {
    const server = await serve(ok, good);
    await expect(transportOf().origin(server.address)).rejects.toMatchObject({
      code: 'TLS',
      message: expect.stringContaining('certificate authority is not trusted'),
      hint: expect.stringMatching(/--ca FILE.*--insecure/),
    });
    expect(server.requests).toEqual([]);
  });

  it('of a given authority is fine', async () => {
    const server = await serve(ok, good);
    const transport = transportOf({ ca: authority.pem });
    const origin = await transport.origin(server.address);
    expect(origin.protocol).toBe('https:');
    expect(await readText(await get(transport, `${origin.href}v2/`), 100, 'x')).toBe('ok');
  });

  it('unchecked is fine with --insecure', async () => {
    const server = await serve(ok, good);
    expect((await transportOf({ insecure: true }).origin(server.address)).protocol).toBe('https:');
  });

  it.each([
    ['has expired', { days: -1 }, 'has expired'],
    ['is for another host', { names: 'DNS:other.example.com' }, 'for another host'],
  ])('that %s is refused', async (_name, options, message) => {
    const server = await serve(ok, await authority.server(options));
    await expect(get(transportOf({ ca: authority.pem }), `https://${server.address}/`)).rejects.toMatchObject(
      {
        code: 'TLS',
        message: expect.stringContaining(message),
      },
    );
  });

  it('with a ca that is no certificate is an error of ours', async () => {
    const server = await serve(ok, good);
    await expect(get(transportOf({ ca: 'nonsense' }), `https://${server.address}/`)).rejects.toMatchObject({
      code: 'TLS',
      hint: expect.stringContaining('PEM'),
    });
  });

  it('to a plain HTTP server says so, and names --plain-http', async () => {
    const server = await serve(ok);
    await expect(get(transportOf(), `https://${server.address}/`)).rejects.toMatchObject({
      code: 'TLS',
      message: expect.stringContaining('speaks plain HTTP'),
      hint: expect.stringContaining('--plain-http'),
    });
  });
});

describe('plain HTTP', () => {
  it('to another host never happens without the flag', async () => {
    await expect(get(transportOf(), 'http://registry.example.com/v2/')).rejects.toMatchObject({
      message: expect.stringContaining('plain HTTP refused'),
    });
  });
});

describe('retries', () => {
  it.each([408, 429, 500, 502, 503, 504])('%i is tried again, and told', async (status) => {
    const events: ProgressEvent[] = [];
    let count = 0;
    const server = await serve((_request, response) => {
      count += 1;
      response.writeHead(count < 3 ? status : 200).end();
    });
    const transport = transportOf({ onProgress: (event) => events.push(event) });
    expect((await get(transport, `http://${server.address}/`)).status).toBe(200);
    expect(events).toMatchObject([
      { type: 'retrying', what: 'example', attempt: 1, reason: expect.stringContaining(String(status)) },
      { type: 'retrying', attempt: 2 },
    ]);
  });

  it('end, and the last answer is given with its body', async () => {
    const server = await serve((_request, response) => void response.writeHead(503).end('too busy'));
    const response = await get(transportOf(), `http://${server.address}/`);
    expect(response.status).toBe(503);
    expect(await readText(response, 100, 'x')).toBe('too busy');
    expect(server.requests).toHaveLength(3);
  });

  it.each([400, 401, 403, 404, 501])('%i is an answer', async (status) => {
    const server = await serve((_request, response) => void response.writeHead(status).end());
    await discard(await get(transportOf(), `http://${server.address}/`));
    expect(server.requests).toHaveLength(1);
  });

  it('follow a connection that was cut before the answer', async () => {
    let count = 0;
    const server = await serve((request, response) => {
      count += 1;
      if (count === 1) request.socket.destroy();
      else response.end('ok');
    });
    expect((await get(transportOf(), `http://${server.address}/`)).status).toBe(200);
  });

  it('follow a server that does not answer in time', async () => {
    let count = 0;
    const server = await serve((_request, response) => {
      count += 1;
      if (count > 1) response.end('ok');
    });
    expect((await get(transportOf({ timeoutMs: 500 }), `http://${server.address}/`)).status).toBe(200);
  });

  it('do not wait for a host that never answered and refuses connections', async () => {
    const events: ProgressEvent[] = [];
    const transport = transportOf({ onProgress: (event) => events.push(event) });
    await expect(get(transport, 'http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'NETWORK' });
    expect(events).toEqual([]);
  });

  it('start at the first address again, so that a signed one is fresh', async () => {
    let signed = 0;
    const server = await serve((request, response) => {
      if (request.url === '/blob') {
        signed += 1;
        response.writeHead(307, { location: `/signed?n=${signed}` }).end();
      } else {
        response.writeHead(request.url === '/signed?n=1' ? 503 : 200).end();
      }
    });
    const response = await get(transportOf(), `http://${server.address}/blob`);
    expect(response.url.search).toBe('?n=2');
  });
});

describe('a transport', () => {
  it('reads headers of 21 KB (Artifact Registry)', async () => {
    const server = await serve((_request, response) => {
      response.writeHead(200, { 'x-long': 'y'.repeat(21_000) }).end();
    });
    const response = await get(transportOf(), `http://${server.address}/`);
    expect(response.headers['x-long']).toHaveLength(21_000);
  });

  it('opens no more connections to a host than it may', async () => {
    let open = 0;
    let most = 0;
    const server = await serve((_request, response) => {
      open += 1;
      most = Math.max(most, open);
      response.on('close', () => {
        open -= 1;
      });
      setImmediate(() => response.end('ok'));
    });
    const transport = transportOf({ connectionsPerHost: 2 });
    await Promise.all(
      Array.from({ length: 8 }, async () => discard(await get(transport, `http://${server.address}/`))),
    );
    expect(most).toBeLessThanOrEqual(2);
  });

  it('asks for bytes as they are stored, under its own name', async () => {
    const server = await serve(ok);
    await discard(await get(transportOf({ userAgent: 'ocitool/1.2.3' }), `http://${server.address}/`));
    expect(server.requests[0]?.headers).toMatchObject({
      'accept-encoding': 'identity',
      'user-agent': 'ocitool/1.2.3',
    });
  });

  it('passes a registry’s warnings on, each once', async () => {
    const events: ProgressEvent[] = [];
    const server = await serve((_request, response) => {
      response.writeHead(200, { warning: '299 - "this repository moves"' }).end();
    });
    const transport = transportOf({ onProgress: (event) => events.push(event) });
    await discard(await get(transport, `http://${server.address}/`));
    await discard(await get(transport, `http://${server.address}/`));
    expect(events).toEqual([{ type: 'warning', message: `${server.address}: this repository moves` }]);
  });

  it('closed fails what is running with ABORTED, and what comes after', async () => {
    const server = await serve(() => {});
    const transport = transportOf();
    const running = get(transport, `http://${server.address}/`);
    await vi.waitUntil(() => server.requests.length === 1);
    await Promise.all([expect(running).rejects.toMatchObject({ code: 'ABORTED' }), transport.close()]);
    await expect(get(transport, `http://${server.address}/`)).rejects.toMatchObject({ code: 'ABORTED' });
  });

  it('uses a program’s own dispatcher, and leaves it open', async () => {
    const server = await serve(ok);
    const agent = new Agent();
    closers.push(() => agent.close());
    const transport = transportOf({ dispatcher: agent });
    await discard(await get(transport, `http://${server.address}/`));
    await transport.close();
    expect(agent.closed || agent.destroyed).toBe(false);
  });
});

describe('a proxy from the environment', () => {
  it('gets requests to other hosts, but none to loopback', async () => {
    const tunnels: string[] = [];
    const target = await serve(ok);
    const proxy = await serve((request, response) => {
      tunnels.push(`${request.method} ${request.url}`);
      response.end('through the proxy');
    });
    vi.stubEnv('http_proxy', `http://${proxy.address}`);
    vi.stubEnv('no_proxy', '');
    const transport = transportOf({ plainHttp: true });
    const response = await get(transport, 'http://registry.example.com/v2/');
    expect(await readText(response, 100, 'x')).toBe('through the proxy');
    expect(tunnels).toEqual(['GET http://registry.example.com/v2/']);
    expect(await readText(await get(transport, `http://${target.address}/`), 100, 'x')).toBe('ok');
    expect(tunnels).toHaveLength(1);
  });

  it.skipIf(!hasTools('openssl'))('tunnels HTTPS, and its certificate is checked against --ca', async () => {
    const authority = await createAuthority();
    closers.push(async () => authority.remove());
    const target = await serve(ok, await authority.server({ names: 'DNS:registry.example.com' }));
    const asked: string[] = [];
    const proxy = createTcpServer((socket) => {
      socket.once('data', (head) => {
        asked.push(head.toString().split('\r\n', 1)[0] ?? '');
        const { hostname, port } = new URL(`http://${target.address}`);
        const upstream = connect(Number(port), hostname, () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.pipe(upstream).pipe(socket);
        });
        socket.on('error', () => upstream.destroy());
        upstream.on('error', () => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    closers.push(async () => void proxy.close());
    const address = proxy.address();
    vi.stubEnv('https_proxy', `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`);
    vi.stubEnv('no_proxy', '');
    const response = await get(transportOf({ ca: authority.pem }), 'https://registry.example.com/v2/');
    expect(await readText(response, 100, 'x')).toBe('ok');
    expect(asked).toEqual(['CONNECT registry.example.com:443 HTTP/1.1']);
    await expect(get(transportOf(), 'https://registry.example.com/v2/')).rejects.toMatchObject({
      code: 'TLS',
    });
  });
});
