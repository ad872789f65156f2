// A small HTTP or HTTPS server on a free loopback port, for one test's own dialogue.
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Certificate } from './certificates.ts';

export interface TestServer {
  /** `127.0.0.1:40123` */
  address: string;
  /** Every request so far. */
  requests: IncomingMessage[];
  close(): Promise<void>;
}

/** Starts one; with a certificate it speaks HTTPS. */
export async function startHttpServer(listener: RequestListener, tls?: Certificate): Promise<TestServer> {
  const requests: IncomingMessage[] = [];
  const listen: RequestListener = (request, response) => {
    requests.push(request);
    listener(request, response);
  };
  const server =
    tls === undefined
      ? createServer(listen)
      : createTlsServer({ cert: readFileSync(tls.certFile), key: readFileSync(tls.keyFile) }, listen);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
