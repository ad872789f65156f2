// A line of limited speed in front of a registry, that counts which bytes of which blob went over it.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Line, openLine } from './line.ts';

export interface SlowProxy {
  /** `127.0.0.1:40123` */
  address: string;
  /** Body bytes handed to clients so far, by blob digest. */
  sent: Map<string, number>;
  /** Requests for blobs that asked for a later part. */
  resumed: number;
  /** Resolves once `bytes` more went to clients. */
  after(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Passes requests on to `target` (`127.0.0.1:5000`) over the line; a number is the speed of all bodies together. */
export async function startSlowProxy(target: string, line: number | Line): Promise<SlowProxy> {
  const sent = new Map<string, number>();
  const url = new URL(`http://${target}`);
  const { portion, request: arrive, send } = openLine(typeof line === 'number' ? { total: line } : line);
  let resumed = 0;
  let total = 0;
  let waiting: { total: number; resolve: () => void }[] = [];

  function count(digest: string, bytes: number): void {
    sent.set(digest, (sent.get(digest) ?? 0) + bytes);
    total += bytes;
    for (const waiter of waiting) if (total >= waiter.total) waiter.resolve();
    waiting = waiting.filter((waiter) => total < waiter.total);
  }

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    await arrive(incoming.socket);
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(incoming.url ?? '')?.[1];
    if (digest !== undefined && incoming.headers.range !== undefined) resumed++;
    const upstream = request({
      host: url.hostname,
      port: url.port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    const gone = new AbortController();
    const end = () => {
      gone.abort();
      upstream.destroy();
      outgoing.destroy();
    };
    upstream.on('error', end);
    incoming.on('error', end);
    outgoing.on('error', end);
    outgoing.on('close', end);
    upstream.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      const pass = async () => {
        for await (const chunk of answer as AsyncIterable<Buffer>) {
          for (let at = 0; at < chunk.length; at += portion) {
            const bytes = chunk.subarray(at, at + portion);
            await send(incoming.socket, bytes.length);
            if (outgoing.destroyed) return;
            if (!outgoing.write(bytes)) await once(outgoing, 'drain', { signal: gone.signal });
            if (digest !== undefined) count(digest, bytes.length);
          }
        }
        outgoing.end();
      };
      pass().catch(end);
    });
    incoming.pipe(upstream);
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    get resumed() {
      return resumed;
    },
    after(bytes) {
      return new Promise((resolve) => waiting.push({ total: total + bytes, resolve }));
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
