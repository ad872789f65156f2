// Reads the small bodies of answers, never more than a limit (CVE-2020-1702).
import { OciError } from '../errors.ts';
import type { HttpResponse } from './http.ts';
import { networkError } from './network-error.ts';

const DISCARD_BYTES = 64 * 1024;
/** A connection that is slower than this is not worth keeping. */
const DISCARD_MS = 3000;

/** All bytes of the body. Throws REGISTRY_ERROR beyond `limit` bytes, NETWORK or TIMEOUT when it breaks off. */
export function readBytes({ body, url }: HttpResponse, limit: number, what: string): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  body.pour({
    data(chunk) {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(Buffer.from(chunk));
        return;
      }
      body.destroy();
      reject(new OciError('REGISTRY_ERROR', `${what}: ${url.host} sent more than ${limit} bytes`));
    },
    end: () => resolve(Buffer.concat(chunks)),
    error: (error) => reject(networkError(error, url.host, what)),
  });
  return promise;
}

/** The body as text. Throws as `readBytes` does. */
export async function readText(response: HttpResponse, limit: number, what: string): Promise<string> {
  return (await readBytes(response, limit, what)).toString('utf8');
}

/** Lets go of a body nobody reads. A short one is read to its end, so that its connection can be used again. */
export function discard({ body }: HttpResponse): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let size = 0;
  function giveUp(): void {
    body.destroy();
    over();
  }
  function over(): void {
    clearTimeout(timer);
    resolve();
  }
  const timer = setTimeout(giveUp, DISCARD_MS);
  body.pour({
    data(chunk) {
      size += chunk.length;
      if (size > DISCARD_BYTES) giveUp();
    },
    end: over,
    error: over,
  });
  return promise;
}
