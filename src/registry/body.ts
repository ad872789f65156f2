// Reads the small bodies of answers, never more than a limit (CVE-2020-1702).
import { OciError } from '../errors.ts';
import type { HttpResponse } from './http.ts';
import { networkError } from './network-error.ts';

const DISCARD_BYTES = 64 * 1024;
/** A connection that is slower than this is not worth keeping. */
const DISCARD_MS = 3000;

/** All bytes of the body. Throws REGISTRY_ERROR beyond `limit` bytes, NETWORK or TIMEOUT when it breaks off. */
export async function readBytes(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > limit) {
        throw new OciError('REGISTRY_ERROR', `${what}: ${response.url.host} sent more than ${limit} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw networkError(error, response.url.host, what);
  } finally {
    response.body.destroy();
  }
  return Buffer.concat(chunks);
}

/** The body as text. Throws as `readBytes` does. */
export async function readText(response: HttpResponse, limit: number, what: string): Promise<string> {
  return (await readBytes(response, limit, what)).toString('utf8');
}

/** Lets go of a body nobody reads. A short one is read to its end, so that its connection can be used again. */
export async function discard(response: HttpResponse): Promise<void> {
  await response.body.dump({ limit: DISCARD_BYTES, signal: AbortSignal.timeout(DISCARD_MS) }).catch(() => {});
}
