import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import type { Publisher } from '../../../src/runner/network/contract.ts';
import { listen } from '../../../src/runner/network/listen.ts';
import { startPublisher } from '../../../src/runner/network/publisher.ts';

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

/** A program in a container, published; `port` is the host's. */
async function publish(serve: (socket: Socket) => unknown): Promise<{ port: number; publisher: Publisher }> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: containerPort } = server.address() as { port: number };
  const published = listen([{ address: '127.0.0.1', hostPort: 0, containerPort, protocol: 'tcp' }]);
  const publisher = await startPublisher(published, '127.0.0.1');
  closing.push(
    () => server.close(),
    () => publisher.close(),
  );
  return { port: published[0]?.hostPort ?? 0, publisher };
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  closing.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('passes 32 MB each way at once, byte for byte', async () => {
  const size = 32 << 20;
  const [down, up] = [randomBytes(size), randomBytes(size)];
  let received: Promise<Buffer> | undefined;
  const { port } = await publish((socket) => {
    received = all(socket);
    socket.end(down);
  });
  const socket = await client(port);
  socket.end(up);
  expect(sha256(await all(socket))).toBe(sha256(down));
  expect(sha256((await received) ?? Buffer.alloc(0))).toBe(sha256(up));
});

it('lets one direction end while the other goes on', async () => {
  const { port } = await publish(async (socket) => {
    const asked = String(await all(socket)); // ends with the client's writing
    socket.write(`asked: ${asked}`);
    socket.end(', answered');
  });
  const socket = await client(port);
  socket.end('something');
  expect(String(await all(socket))).toBe('asked: something, answered');
});

it('serves 1000 connections at once and keeps nothing of them', async () => {
  const { port } = await publish((socket) => socket.pipe(socket));
  await echo(await client(port), 'first');
  const before = readdirSync('/proc/self/fd').length;
  const sockets = await Promise.all(Array.from({ length: 1000 }, () => client(port)));
  await Promise.all(sockets.map((socket, at) => echo(socket, `message ${at}`)));
  await until(() => readdirSync('/proc/self/fd').length <= before);
});

it('holds a fast sender back while the receiver does not read', async () => {
  let sent = 0;
  const chunk = Buffer.alloc(1 << 20);
  const { port } = await publish((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(chunk)) sent += chunk.length;
      sent += chunk.length;
    };
    socket.on('drain', more);
    more();
  });
  const socket = await client(port);
  socket.pause();
  const seen = new Set<number>();
  // It stops by itself: the kernel's buffers and one read, not what memory would hold.
  await until(() => {
    const standing = seen.has(sent);
    seen.clear();
    seen.add(sent);
    return standing && sent > 0;
  }, 300);
  expect(sent).toBeLessThan(64 << 20);
  const before = sent;
  socket.resume();
  await until(() => sent > before + (64 << 20));
});

it('resets the client when the container resets, and the other way round', async () => {
  const inContainer: Socket[] = [];
  const { port } = await publish((socket) => {
    inContainer.push(socket);
    socket.write('here');
  });
  const one = await client(port);
  await once(one, 'data');
  const failed = once(one, 'error');
  inContainer[0]?.resetAndDestroy();
  expect(String(await failed)).toContain('ECONNRESET');

  const two = await client(port);
  await once(two, 'data');
  const gone = closed(inContainer[1] ?? two);
  two.resetAndDestroy();
  await gone;
});

it('closes the connection when nobody listens in the container, and goes on', async () => {
  const { port, publisher } = await publish(() => {});
  const [unserved] = listen([{ address: '127.0.0.1', hostPort: 0, containerPort: 1, protocol: 'tcp' }]);
  if (unserved === undefined) throw new Error('no port');
  const second = await startPublisher([unserved], '127.0.0.1');
  closing.push(() => second.close());
  for (let time = 0; time < 2; time++) {
    const socket = await client(unserved.hostPort);
    socket.resume();
    await closed(socket);
  }
  await client(port);
  await publisher.close();
});

it('ends every connection and frees the port when it is closed', async () => {
  const { port, publisher } = await publish((socket) => socket.write('here'));
  const socket = await client(port);
  await once(socket, 'data');
  const gone = all(socket);
  await publisher.close();
  await gone;
  const again = listen([{ address: '127.0.0.1', hostPort: port, containerPort: 1, protocol: 'tcp' }]);
  const other = await startPublisher(again, '127.0.0.1');
  await other.close();
});

/** What comes until the other side ends. Unlike stream/consumers it leaves the socket open for what is still written. */
function all(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    socket.once('end', () => resolve(Buffer.concat(chunks)));
    socket.once('close', () => reject(new Error('it broke')));
  });
}

/** Unlike `once`, whatever error comes before it. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function echo(socket: Socket, message: string): Promise<void> {
  socket.end(message);
  expect(String(await all(socket))).toBe(message);
}

/** Looks every `ms` until it holds, 20 s at most. */
async function until(holds: () => boolean, ms = 20): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
}
