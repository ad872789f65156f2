// Writes a manifest or index by its digest or under a tag (distribution spec, pushing manifests).
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Ingest } from '../place/place.ts';
import { createVerifier } from '../place/verify.ts';
import { algorithmOf, isDigest } from '../reference/digest.ts';
import { discard } from './body.ts';
import { type HttpResponse, header } from './http.ts';
import { pause } from './retry.ts';
import type { Session } from './session.ts';
import { isDone } from './upload-session.ts';

/**
 * Times a manifest is sent that the registry calls changed on its way. docker-registry does so when another client is just
 * linking one of the manifest's blobs: it reads the link half written. The bytes were checked before they were sent.
 */
const ATTEMPTS = 4;

/**
 * True when the registry noted what the document refers to (`OCI-Subject`, distribution spec 1.1).
 * Throws DENIED, UNAUTHORIZED, REGISTRY_ERROR (a blob it names is not there), DIGEST_MISMATCH, UNSUPPORTED.
 */
export async function putManifest(
  session: Session,
  descriptor: Descriptor,
  raw: Buffer,
  { name, signal }: { name: string; signal?: AbortSignal | undefined },
): Promise<boolean> {
  const what = `${session.registry}/${session.repository}${isDigest(name) ? '@' : ':'}${name}`;
  let response = await put();
  for (let attempt = 1; !isDone(response.status); attempt += 1) {
    const failure = await session.failure(response, { what, kind: 'upload' });
    if (attempt === ATTEMPTS || !isOciError(failure, 'DIGEST_MISMATCH')) throw failure;
    await pause(Math.random() * 200 * attempt, signal ?? new AbortController().signal);
    response = await put();
  }
  await discard(response);
  const stored = header(response.headers, 'docker-content-digest') ?? '';
  if (
    isDigest(stored) &&
    algorithmOf(stored) === algorithmOf(descriptor.digest) &&
    stored !== descriptor.digest
  ) {
    throw new OciError('DIGEST_MISMATCH', `${what}: the registry keeps it as ${stored}`, {
      hint: 'it changed the manifest: signatures and references by digest would break; report it to whoever runs it',
    });
  }
  return header(response.headers, 'oci-subject') !== undefined;

  function put(): Promise<HttpResponse> {
    const headers = { 'content-type': descriptor.mediaType };
    return session.request({ method: 'PUT', path: `manifests/${name}`, headers, body: raw, what, signal });
  }
}

/** A document on its way: small, so it is sent whole, verified, when it is committed. */
export function openDocument(descriptor: Descriptor, put: (raw: Buffer) => Promise<void>): Ingest {
  let verifier = createVerifier(descriptor);
  let chunks: Uint8Array[] = [];
  const clear = async (): Promise<void> => {
    verifier = createVerifier(descriptor);
    chunks = [];
  };
  return {
    offset: 0,
    write(chunk) {
      verifier.update(chunk);
      chunks.push(chunk);
    },
    async commit() {
      verifier.end();
      await put(Buffer.concat(chunks));
    },
    suspend: clear,
    restart: clear,
    abort: clear,
  };
}
