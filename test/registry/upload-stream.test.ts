// Bodies that are written bit by bit: whose memory is whose, and what happens when the answer comes early.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import type { HttpResponse } from '../../src/registry/http.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { openUploadStream, type UploadStream } from '../../src/registry/upload-stream.ts';
import { createAuthority } from '../support/certificates.ts';
import { startForwardProxy } from '../support/forward-proxy.ts';

let server: ReturnType<typeof createServer>;
let transport: Transport;
/** Digest of each body that came. */
let came: string[];

beforeEach(async () => {
  came = [];
  await listen(createServer());
});

afterEach(stop);

async function listen(by: typeof server, ca?: string): Promise<void> {
  transport = createTransport({ ca });
  server = by.on(
    'request',
    (request, response) => void take(request, response).catch(() => response.destroy()),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

async function stop(): Promise<void> {
  await transport.close();
  server.closeAllConnections();
  server.close();
}

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/refused') {
    response.writeHead(413).end();
  } else if (request.url === '/cut') {
    request.on('error', () => {}).once('data', () => request.destroy());
  } else {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    came.push(digestOf(Buffer.concat(chunks)));
    response.writeHead(201).end();
  }
}

function portOf(): number {
  return (server.address() as AddressInfo).port;
}

function open(path: string, length: number, origin = `http://127.0.0.1:${portOf()}`): UploadStream {
  const url = origin + path;
  const headers = { 'content-length': String(length) };
  return openUploadStream((body) => transport.request({ method: 'PUT', url, headers, body, what: 'it' }));
}

it.each(['http', 'https'])('over %s a chunk may change as soon as its write is over', async (scheme) => {
  const authority = await createAuthority();
  try {
    if (scheme === 'https') {
      await stop();
      const { certFile, keyFile } = await authority.server();
      await listen(
        createTlsServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }),
        authority.pem,
      );
    }
    await sendFromOnePlace(`${scheme}://127.0.0.1:${portOf()}`);
  } finally {
    authority.remove();
  }
});

it.each([
  ['http', 'http'],
  ['http', 'https'],
  ['https', 'http'],
  ['https', 'https'],
])('so it is through a proxy that speaks %s to a registry that speaks %s', async (by, to) => {
  const authority = await createAuthority();
  const names = 'DNS:localhost,DNS:registry.example';
  const { certFile, keyFile } = await authority.server({ names });
  await stop();
  const certificate = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
  server = to === 'https' ? createTlsServer(certificate) : createServer();
  await listen(server, authority.pem);
  const proxy = await startForwardProxy(portOf(), by === 'https' ? { certFile, keyFile } : undefined);
  await transport.close();
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy']) vi.stubEnv(name, proxy.url);
  for (const name of ['NO_PROXY', 'no_proxy']) vi.stubEnv(name, '');
  try {
    transport = createTransport({ ca: authority.pem, plainHttp: to === 'http' });
    await sendFromOnePlace(`${to}://registry.example`);
    expect(proxy.asked).toEqual([
      to === 'https' ? 'CONNECT registry.example:443' : 'PUT http://registry.example/',
    ]);
  } finally {
    vi.unstubAllEnvs();
    await proxy.close();
    authority.remove();
  }
});

/** Every chunk lies in the same memory, which is overwritten when its write is over. */
async function sendFromOnePlace(origin: string): Promise<void> {
  const lengths = [1, 100, 64 * 1024, 300_000, 7, 2_000_000, 1, 1, 9_000, 10_000, 500_000];
  const sent: Buffer[] = [];
  const memory = Buffer.alloc(2_000_000);
  const all = lengths.reduce((sum, length) => sum + length, 0);
  const stream = open('/', all, origin);
  for (const [i, length] of lengths.entries()) {
    const chunk = memory.subarray(0, length).fill(i + 1);
    sent.push(Buffer.from(chunk));
    await stream.write(chunk);
    memory.fill(0);
  }
  expect((await stream.end()).status).toBe(201);
  expect(came).toEqual([digestOf(Buffer.concat(sent))]);
}

it('an answer before the end lets the writer go on into nowhere', async () => {
  const chunk = Buffer.alloc(1 << 20);
  const stream = open('/refused', 1000 * chunk.length);
  while (!stream.isOver) await stream.write(chunk);
  const answer: HttpResponse = await stream.end();
  expect(answer.status).toBe(413);
  answer.body.destroy();
});

it('a connection that is lost is what the writer hears', async () => {
  const chunk = Buffer.alloc(1 << 20);
  const stream = open('/cut', 1000 * chunk.length);
  const writing = (async () => {
    for (let sent = 0; sent < 1000; sent += 1) await stream.write(chunk);
  })();
  await expect(writing).rejects.toMatchObject({ code: 'NETWORK' });
});
