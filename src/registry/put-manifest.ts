// Writes a manifest or index by its digest or under a tag (distribution spec, pushing manifests).
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Ingest } from '../place/place.ts';
import { createVerifier } from '../place/verify.ts';
import { algorithmOf, isDigest } from '../reference/digest.ts';
import { discard } from './body.ts';
import { header } from './http.ts';
import type { Session } from './session.ts';
import { isDone } from './upload-session.ts';

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
  const response = await session.request({
    method: 'PUT',
    path: `manifests/${name}`,
    headers: { 'content-type': descriptor.mediaType },
    body: raw,
    what,
    signal,
  });
  if (!isDone(response.status)) throw await session.failure(response, { what, kind: 'upload' });
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
