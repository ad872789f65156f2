// The store as a read-only OCI registry, on the loopback interface unless told otherwise: there is no login.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BlobStore } from '../blobstore/store.ts';
import { OciError, systemCode, throwIfAborted } from '../errors.ts';
import { errorAnswer, send } from './answer.ts';
import { createRouter } from './routes.ts';

export interface ServeOptions {
  /** Default 127.0.0.1. */
  host?: string;
  /** Default 0: any free port. */
  port?: number;
  /** Closes the server when it fires. */
  signal?: AbortSignal | undefined;
}

export interface StoreServer {
  /** `http://127.0.0.1:5000` */
  url: string;
  /** Ends open connections; resolves when the server is closed. Further calls do nothing. */
  close(): Promise<void>;
}

/** Serves until closed. Throws NETWORK when the port is taken, PERMISSION when it is not allowed, ABORTED. */
export async function serveStore(store: BlobStore, options: ServeOptions = {}): Promise<StoreServer> {
  const { host = '127.0.0.1', port = 0, signal } = options;
  throwIfAborted(signal);
  const route = createRouter(store);
  const server = createServer((request, response) => {
    const withBody = request.method !== 'HEAD';
    route(request)
      .catch(() => errorAnswer(500, 'UNKNOWN', 'the store cannot be read'))
      .then((answer) => send(response, answer, withBody))
      .catch(() => response.destroy());
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
    signal?.removeEventListener('abort', stop);
    server.close();
    server.closeAllConnections();
    await closed;
  }
  function stop(): void {
    void close();
  }
  signal?.addEventListener('abort', stop, { once: true });
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return { url: `http://${shown}:${address.port}`, close };
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
