// A proxy as HTTP_PROXY and HTTPS_PROXY name one: plain requests are passed on, TLS goes through a tunnel. Every host that
// is asked for is the one server of the test.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Certificate } from './certificates.ts';

export interface ForwardProxy {
  /** `http://localhost:40123` */
  url: string;
  /** `PUT http://registry.example/path`, `CONNECT registry.example:443` */
  asked: string[];
  close(): Promise<void>;
}

/** Passes all on to `port` on loopback; with a certificate it speaks TLS itself. */
export async function startForwardProxy(port: number, tls?: Certificate): Promise<ForwardProxy> {
  const asked: string[] = [];
  const sockets = new Set<Duplex>();

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    asked.push(`${incoming.method} ${incoming.url}`);
    const { method, headers } = incoming;
    const { pathname, search } = new URL(incoming.url ?? '');
    const onward = request({ host: '127.0.0.1', port, method, path: pathname + search, headers });
    const answered = once(onward, 'response') as Promise<[IncomingMessage]>;
    await pipeline(incoming, new PassThrough(), onward);
    const [answer] = await answered;
    outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
    await pipeline(answer, outgoing);
  }

  const options = tls && { cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) };
  const server = options === undefined ? createServer() : createTlsServer(options);
  server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.on('connect', (incoming: IncomingMessage, client: Duplex) => {
    asked.push(`CONNECT ${incoming.url}`);
    const onward = connect(port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
    for (const socket of [client, onward]) {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    }
    client.pipe(onward).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `${tls === undefined ? 'http' : 'https'}://localhost:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
