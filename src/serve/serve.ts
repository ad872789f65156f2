// The store as an OCI registry, on the loopback interface unless told otherwise.
import { once } from 'node:events';
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { BlobStore } from '../blobstore/store.ts';
import { isOciError, OciError, systemCode, throwIfAborted } from '../errors.ts';
import { type Answer, errorAnswer, send } from './answer.ts';
import { createRouter } from './routes.ts';
import type { Upstream } from './upstream.ts';

export interface ServeOptions {
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** Default 0: any free port. */
  port?: number | undefined;
  /** Refuse whatever would change the store. Default false, and true with `upstream`. */
  readOnly?: boolean | undefined;
  /** Pull-through: asked for what the store lacks, and about tags. The server does not close it. */
  upstream?: Upstream | undefined;
  /** PEM. */
  tls?: { cert: string; key: string } | undefined;
  /** Says whether an `Authorization` header lets a request in. Default: everybody is. */
  authorize?: ((header: string | undefined) => Promise<boolean>) | undefined;
  /** Closes the server when it fires. */
  signal?: AbortSignal | undefined;
}

export interface StoreServer {
  /** `http://127.0.0.1:5000` */
  url: string;
  /** Requests being answered. */
  busy(): number;
  /** Takes no new requests; resolves when those under way are answered, or after `ms` with the rest cut off. */
  stop(ms: number): Promise<void>;
  /** Ends open connections; resolves when the server is closed. Further calls do nothing. */
  close(): Promise<void>;
}

/**
 * Serves until closed. Throws NETWORK when the port is taken, PERMISSION when it is not allowed, ABORTED, and USAGE
 * when key and certificate are none or do not fit.
 */
export async function serveStore(store: BlobStore, options: ServeOptions = {}): Promise<StoreServer> {
  const { host = '127.0.0.1', port = 0, tls, signal } = options;
  throwIfAborted(signal);
  const router = createRouter(store, options);
  const server = tls === undefined ? createPlainServer() : createTls(tls);
  // Uploads take as long as they take; a client that sends nothing is cut off by the socket's own timeout.
  server.requestTimeout = 0;
  server.setTimeout(IDLE);
  let stopping = false;
  let busy = 0;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const allowed = (await options.authorize?.(request.headers.authorization)) ?? true;
    const answered = allowed ? await router.route(request).catch(failure) : UNAUTHORIZED;
    // A body that was not read to its end makes the connection useless for another request.
    const last = stopping || !request.complete ? { connection: 'close' } : {};
    const headers = { ...answered.headers, ...last };
    await send(response, { ...answered, headers }, request.method !== 'HEAD');
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    busy += 1;
    answer(request, response)
      .catch(() => response.destroy())
      .finally(() => (busy -= 1));
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw listenError(error, `${host}:${port}`);
  }
  const address = server.address() as AddressInfo;
  const closed = new Promise<void>((done) => server.once('close', () => done()));

  async function close(): Promise<void> {
    signal?.removeEventListener('abort', abort);
    server.close();
    server.closeAllConnections();
    await closed;
    router.close();
  }
  async function stop(ms: number): Promise<void> {
    stopping = true;
    server.close();
    const late = setTimeout(() => server.closeAllConnections(), ms);
    const idle = setInterval(() => server.closeIdleConnections(), 100);
    await closed;
    clearTimeout(late);
    clearInterval(idle);
    await close();
  }
  function abort(): void {
    void close();
  }
  signal?.addEventListener('abort', abort, { once: true });
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  const url = `${tls === undefined ? 'http' : 'https'}://${shown}:${address.port}`;
  return { url, busy: () => busy, stop, close };
}

/** A connection that says nothing for this long is closed, ms. */
const IDLE = 300_000;

const UNAUTHORIZED: Answer = (() => {
  const refusal = errorAnswer(401, 'UNAUTHORIZED', 'log in first');
  return { ...refusal, headers: { ...refusal.headers, 'www-authenticate': 'Basic realm="ocitool"' } };
})();

/** What is no refusal: the store cannot be read or written. */
function failure(error: unknown): Answer {
  if (isOciError(error, 'DISK_FULL')) return errorAnswer(507, 'UNKNOWN', 'the disk is full');
  return errorAnswer(500, 'UNKNOWN', 'the store cannot be read or written');
}

function createTls(tls: { cert: string; key: string }): ReturnType<typeof createTlsServer> {
  try {
    return createTlsServer(tls);
  } catch (error) {
    throw new OciError('USAGE', 'the certificate and its key cannot be used', {
      hint: error instanceof Error ? error.message : undefined,
      cause: error,
    });
  }
}

function listenError(error: unknown, address: string): OciError {
  const code = systemCode(error);
  if (code === 'EACCES') {
    return new OciError('PERMISSION', `${address}: not allowed to listen there`, {
      hint: 'choose a port above 1023 with --port',
      cause: error,
    });
  }
  const reason =
    code === 'EADDRINUSE' ? 'the port is taken' : error instanceof Error ? error.message : String(error);
  return new OciError('NETWORK', `${address}: cannot listen: ${reason}`, {
    hint: 'choose another with --port',
    cause: error,
  });
}
