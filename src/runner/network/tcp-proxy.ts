// One published TCP port: every connection of the host is passed on to the container, in both directions until each is
// done, with as much in memory as one read of each side.
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net';

/** Bytes read at once: large reads are what makes a proxy fast. */
const READ_SIZE = 256 * 1024;

/** Accepts on an inherited listening descriptor until closed. `address` and `port` are the container's. */
export function proxyTcp(
  descriptor: number,
  address: string,
  port: number,
): Promise<{ close(): Promise<void> }> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: READ_SIZE }, (client) => {
    const target = connectTo({
      host: address,
      port,
      allowHalfOpen: true,
      noDelay: true,
      highWaterMark: READ_SIZE,
    });
    join(client, target, open);
  });
  return listening(server, descriptor).then(() => ({
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of open) socket.destroy();
      }),
  }));
}

/** Both directions. What ends one direction well ends it on the other side; what breaks either breaks both. */
function join(client: Socket, target: Socket, open: Set<Socket>): void {
  for (const [from, to] of [
    [client, target],
    [target, client],
  ] as const) {
    open.add(from);
    from.pipe(to);
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      open.delete(from);
      if (!from.readableEnded) to.destroy();
    });
  }
}

function listening(server: Server, descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd: descriptor }, () => {
      server.off('error', reject);
      // A connection that could not be accepted (out of descriptors) is the client's loss, not the container's.
      server.on('error', () => {});
      resolve();
    });
  });
}
