import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { listen } from '../../../src/runner/network/listen.ts';
import { startPublisher } from '../../../src/runner/network/publisher.ts';
import { MOST_SENDERS } from '../../../src/runner/network/udp-proxy.ts';

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

async function socketAt(port = 0): Promise<Socket> {
  const socket = createSocket('udp4').bind(port, '127.0.0.1');
  await once(socket, 'listening');
  closing.push(() => socket.close());
  return socket;
}

/** A program in a container that answers each datagram with who sent it, published. */
async function publish(): Promise<{ port: number; container: Socket; senders: Set<number> }> {
  const container = await socketAt();
  const senders = new Set<number>();
  container.on('message', (message, from) => {
    senders.add(from.port);
    container.send(`${String(message)} by ${from.port}`, from.port, from.address);
  });
  const containerPort = container.address().port;
  const published = listen([{ address: '127.0.0.1', hostPort: 0, containerPort, protocol: 'udp' }]);
  const publisher = await startPublisher(published, '127.0.0.1');
  closing.push(() => publisher.close());
  return { port: published[0]?.hostPort ?? 0, container, senders };
}

/** Datagrams may be lost: asked again until an answer comes that begins with the question. */
async function ask(socket: Socket, port: number, question: string): Promise<string> {
  for (let time = 0; time < 50; time++) {
    socket.send(question, port, '127.0.0.1');
    const answer = await Promise.race([
      once(socket, 'message'),
      new Promise<undefined>((resolve) => setTimeout(() => resolve(undefined), 200)),
    ]);
    const text = String(answer?.[0] ?? '');
    if (answer !== undefined && text.startsWith(question)) return text;
  }
  throw new Error('no answer');
}

it('brings each sender its own answers, as one peer to the container', async () => {
  const { port, senders } = await publish();
  const [one, two] = [await socketAt(), await socketAt()];
  const [first, second] = [await ask(one, port, 'one'), await ask(two, port, 'two')];
  expect(first).toMatch(/^one by /);
  expect(second).toMatch(/^two by /);
  expect(await ask(one, port, 'one')).toBe(first);
  expect(senders.size).toBe(2);
});

it('keeps datagrams apart and whole, up to the largest', async () => {
  const { port } = await publish();
  const one = await socketAt();
  for (const size of [0, 1, 9000, 60_000]) {
    const answer = await ask(one, port, 'x'.repeat(size));
    expect(answer.startsWith(`${'x'.repeat(size)} by `)).toBe(true);
  }
});

it('goes on when the container’s port is closed for a while', async () => {
  const { port, container } = await publish();
  const one = await socketAt();
  await ask(one, port, 'before');
  const inside = container.address().port;
  container.close();
  closing = closing.slice(1);
  for (let time = 0; time < 5; time++) one.send('lost', port, '127.0.0.1');
  const again = await socketAt(inside);
  again.on('message', (message, from) => again.send(message, from.port, from.address));
  expect(await ask(one, port, 'after')).toBe('after');
});

it('forgets who has been silent longest when there are too many', async () => {
  const { port, senders } = await publish();
  const one = await socketAt();
  const first = await ask(one, port, 'one');
  for (let at = 0; at < MOST_SENDERS + 1; at += 32) {
    const some = await Promise.all(Array.from({ length: 32 }, () => socketAt()));
    await Promise.all(some.map((socket) => ask(socket, port, 'another')));
  }
  expect(senders.size).toBeGreaterThan(MOST_SENDERS);
  // Still served, as a new sender.
  expect(await ask(one, port, 'one')).not.toBe(first);
});
