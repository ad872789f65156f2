// Whether a repository has a blob or manifest, and whether a tag stands for it already: a HEAD, and what registries mean
// by their answers to it.
import type { Descriptor } from '../manifest/descriptor.ts';
import { isForeignLayerType, MANIFEST_ACCEPT } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import { discard } from './body.ts';
import { parseContentLength } from './content-range.ts';
import { isDocument, nameOf } from './fetch-content.ts';
import { type HttpResponse, header } from './http.ts';
import type { Session } from './session.ts';

/** True when it is there. Throws UNAUTHORIZED, RATE_LIMITED, REGISTRY_ERROR and what a request throws. */
export async function existsIn(
  session: Session,
  descriptor: Descriptor,
  signal?: AbortSignal,
): Promise<boolean> {
  // Windows' base layers stay where their owner put them, and registries take manifests without them.
  if (isForeignLayerType(descriptor.mediaType) && (descriptor.urls?.length ?? 0) > 0) return true;
  const kind = isDocument(descriptor.mediaType) ? 'manifest' : 'blob';
  const path = `${kind}s/${descriptor.digest}`;
  return (await head(session, kind, path, nameOf(session, descriptor), signal)) !== undefined;
}

/** A blob by its digest alone; undefined when it is not there. Throws as `existsIn` does. */
export async function describeBlob(
  session: Session,
  digest: Digest,
  signal?: AbortSignal,
): Promise<Descriptor | undefined> {
  const what = `${session.registry}/${session.repository}@${digest}`;
  const response = await head(session, 'blob', `blobs/${digest}`, what, signal);
  const size = response && parseContentLength(header(response.headers, 'content-length'));
  return size === undefined ? undefined : { mediaType: 'application/octet-stream', digest, size };
}

/** True when the tag stands for the descriptor now. Throws as `existsIn` does. */
export async function standsFor(
  session: Session,
  reference: Reference,
  { digest }: Descriptor,
  signal?: AbortSignal,
): Promise<boolean> {
  const path = `manifests/${reference.digest ?? reference.tag ?? 'latest'}`;
  const response = await head(session, 'manifest', path, formatReference(reference), signal);
  return response !== undefined && header(response.headers, 'docker-content-digest') === digest;
}

async function head(
  session: Session,
  kind: 'manifest' | 'blob',
  path: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<HttpResponse | undefined> {
  const headers = kind === 'manifest' ? { accept: MANIFEST_ACCEPT } : {};
  const response = await session.request({ method: 'HEAD', path, headers, what, signal });
  // Artifactory says 403 of what is not there. A true refusal comes again, with its reason, when it is written.
  const isThere = response.status === 200;
  if (!isThere && ![403, 404, 405].includes(response.status)) {
    throw await session.failure(response, { what, kind });
  }
  await discard(response);
  return isThere ? response : undefined;
}
