// What a published port costs: bytes a second and a round trip, straight to a server and through the proxy, each in a
// process of its own. Prints JSON. usage: node publish-probe.ts
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { listen } from '../../src/runner/network/listen.ts';
import { startPublisher } from '../../src/runner/network/publisher.ts';

const BYTES = 1e9;
const ROUND_TRIPS = 2000;
const chunk = Buffer.alloc(1 << 20);

const [role, argument] = process.argv.slice(2);
if (role === 'serve') await serve();
else if (role === 'proxy') await proxy(Number(argument));
else await probe();

/** The first byte says what is wanted: `d`own, the bytes; `e`cho. */
async function serve(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', (bytes) => {
      if (String(bytes) === 'd') return send(socket);
      socket.on('data', (question) => socket.write(question));
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.send?.((server.address() as AddressInfo).port);
}

function send(socket: Socket): void {
  let left = BYTES;
  const more = (): void => {
    while (left > 0) {
      const part = chunk.subarray(0, left);
      left -= part.length;
      if (!socket.write(part)) return;
    }
    socket.end();
  };
  socket.on('drain', more);
  more();
}

async function proxy(containerPort: number): Promise<void> {
  const published = listen([{ address: '127.0.0.1', hostPort: 0, containerPort, protocol: 'tcp' }]);
  await startPublisher(published, '127.0.0.1');
  process.send?.(published[0]?.hostPort);
}

async function probe(): Promise<void> {
  const server = fork(import.meta.filename, ['serve']);
  const [direct] = (await once(server, 'message')) as [number];
  const published = fork(import.meta.filename, ['proxy', `${direct}`]);
  const [through] = (await once(published, 'message')) as [number];
  try {
    const answer = {
      direct: { rate: await rate(direct), roundTrip: await roundTrip(direct) },
      published: { rate: await rate(through), roundTrip: await roundTrip(through) },
    };
    process.stdout.write(`${JSON.stringify(answer)}\n`);
  } finally {
    server.kill();
    published.kill();
  }
}

/** Bytes a second. */
async function rate(port: number): Promise<number> {
  let got = 0;
  const onread = {
    buffer: Buffer.alloc(1 << 20),
    callback: (length: number) => {
      got += length;
      return true;
    },
  };
  const socket = connect({ port, host: '127.0.0.1', onread });
  await once(socket, 'connect');
  const start = performance.now();
  socket.write('d');
  socket.resume();
  await once(socket, 'close');
  if (got !== BYTES) throw new Error(`${got} of ${BYTES} bytes came`);
  return (got / (performance.now() - start)) * 1000;
}

/** The median, ms. */
async function roundTrip(port: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  socket.write('e');
  await once(socket, 'data');
  const times: number[] = [];
  while (times.length < ROUND_TRIPS) {
    const start = performance.now();
    socket.write('?'.repeat(32));
    await once(socket, 'data');
    times.push(performance.now() - start);
  }
  socket.destroy();
  return times.sort((a, b) => a - b)[ROUND_TRIPS >> 1] ?? 0;
}
