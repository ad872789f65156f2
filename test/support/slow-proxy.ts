// A line of limited speed in front of a registry, that counts which bytes of which blob went over it.
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

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

/** Bytes of one write, so that little is on its way when a client dies. */
const PORTION = 16 * 1024;

/** Passes requests on to `target` (`127.0.0.1:5000`); all bodies together get `bytesPerSecond`. */
export async function startSlowProxy(target: string, bytesPerSecond: number): Promise<SlowProxy> {
  const sent = new Map<string, number>();
  const url = new URL(`http://${target}`);
  let free = 0;
  let resumed = 0;
  let total = 0;
  let waiting: { total: number; resolve: () => void }[] = [];

  function count(digest: string, bytes: number): void {
    sent.set(digest, (sent.get(digest) ?? 0) + bytes);
    total += bytes;
    for (const waiter of waiting) if (total >= waiter.total) waiter.resolve();
    waiting = waiting.filter((waiter) => total < waiter.total);
  }

  /** Waits until the line is free for `bytes` more. */
  async function turn(bytes: number): Promise<void> {
    const now = performance.now();
    free = Math.max(free, now) + (bytes / bytesPerSecond) * 1000;
    if (free - now > 1) await pause(free - now);
  }

  const server = createServer((incoming, outgoing) => {
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
          for (let at = 0; at < chunk.length; at += PORTION) {
            const portion = chunk.subarray(at, at + PORTION);
            await turn(portion.length);
            if (outgoing.destroyed) return;
            if (!outgoing.write(portion)) await once(outgoing, 'drain', { signal: gone.signal });
            if (digest !== undefined) count(digest, portion.length);
          }
        }
        outgoing.end();
      };
      pass().catch(end);
    });
    incoming.pipe(upstream);
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
