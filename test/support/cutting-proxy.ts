// A TCP proxy that resets connections while something large is being sent through them to the server.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttingProxy {
  /** `127.0.0.1:40123` */
  address: string;
  /** Connections reset so far. */
  cuts: number;
  close(): Promise<void>;
}

/** Each number of `plan` resets one connection, once the client has sent that many bytes through it. */
export async function startCuttingProxy(server: string, plan: number[]): Promise<CuttingProxy> {
  const [host, port] = server.split(':') as [string, string];
  const cuts = [...plan];
  const sockets = new Set<Socket>();
  const listener = createServer((client) => {
    const upstream = connect(Number(port), host);
    let sent = 0;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      sent += chunk.length;
      if (cuts[0] !== undefined && sent > cuts[0]) {
        cuts.shift();
        proxy.cuts += 1;
        // What came so far arrives; then both ends see the connection die.
        upstream.write(chunk, () => {
          upstream.destroy();
          client.resetAndDestroy();
        });
        return;
      }
      if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    upstream.pipe(client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const proxy: CuttingProxy = {
    address: `127.0.0.1:${(listener.address() as AddressInfo).port}`,
    cuts: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
  return proxy;
}
