// Bodies that are written bit by bit: whose memory is whose, and what happens when the answer comes early.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import type { HttpResponse } from '../../src/registry/http.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { openUploadStream, type UploadStream } from '../../src/registry/upload-stream.ts';
import { createAuthority } from '../support/certificates.ts';

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
  server = by.on('request', (request, response) => void take(request, response));
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

function open(path: string, length: number, scheme = 'http'): UploadStream {
  const { port } = server.address() as AddressInfo;
  const url = `${scheme}://127.0.0.1:${port}${path}`;
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
    const lengths = [1, 100, 64 * 1024, 300_000, 7, 2_000_000, 1, 1, 9_000, 10_000, 500_000];
    const sent: Buffer[] = [];
    const memory = Buffer.alloc(2_000_000);
    const all = lengths.reduce((sum, length) => sum + length, 0);
    const stream = open('/', all, scheme);
    for (const [i, length] of lengths.entries()) {
      const chunk = memory.subarray(0, length).fill(i + 1);
      sent.push(Buffer.from(chunk));
      await stream.write(chunk);
      memory.fill(0);
    }
    expect((await stream.end()).status).toBe(201);
    expect(came).toEqual([digestOf(Buffer.concat(sent))]);
  } finally {
    authority.remove();
  }
});

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
