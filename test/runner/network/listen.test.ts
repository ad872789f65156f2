import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { listen, stopListening } from '../../../src/runner/network/listen.ts';
import { startPublisher } from '../../../src/runner/network/publisher.ts';
import type { PortRequest } from '../../../src/runner/spec/run-request.ts';

const port = (change: Partial<PortRequest> = {}): PortRequest => ({
  address: '127.0.0.1',
  hostPort: 0,
  containerPort: 1,
  protocol: 'tcp',
  ...change,
});

it('takes any free port for 0 and says which', () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const address of ['127.0.0.1', '::1']) {
      const [published] = listen([port({ protocol, address })]);
      expect(published?.hostPort).toBeGreaterThan(0);
      if (published !== undefined) stopListening([published]);
    }
  }
});

it('lets connections wait, which are served once somebody takes them', async () => {
  const target = createServer((socket) => socket.end('served')).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const { port: containerPort } = target.address() as { port: number };
  const published = listen([port({ containerPort })]);
  const client = connect(published[0]?.hostPort ?? 0, '127.0.0.1');
  let answer = '';
  client.on('data', (bytes) => {
    answer += bytes.toString();
  });
  await once(client, 'connect');
  const publisher = await startPublisher(published, '127.0.0.1');
  await once(client, 'close');
  expect(answer).toBe('served');
  await publisher.close();
  target.close();
});

it('names who has a port that is taken', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: hostPort } = server.address() as { port: number };
  expect(() => listen([port({ hostPort })])).toThrow(
    expect.objectContaining({
      code: 'PORT_TAKEN',
      message: expect.stringMatching(
        `^port 127.0.0.1:${hostPort}/tcp is taken by .+ \\(process ${process.pid}\\)$`,
      ),
    }),
  );
  server.close();
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  expect(() => listen([port({ protocol: 'udp', hostPort: socket.address().port })])).toThrow(
    expect.objectContaining({ code: 'PORT_TAKEN' }),
  );
  socket.close();
});

it('opens all ports or none', () => {
  const [taken] = listen([port()]);
  const [free] = listen([port()]);
  if (taken === undefined || free === undefined) throw new Error('nothing to test with');
  stopListening([free]);
  const both = [port({ hostPort: free.hostPort }), port({ hostPort: taken.hostPort })];
  expect(() => listen(both)).toThrow(expect.objectContaining({ code: 'PORT_TAKEN' }));
  const again = listen([port({ hostPort: free.hostPort })]);
  stopListening(again);
  closeSync(taken.descriptor);
});

it('tells of addresses this machine does not have, and of what is no address', () => {
  for (const address of ['192.0.2.77', 'localhost', '1.2.3', '::g']) {
    expect(() => listen([port({ address })])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  }
});
