// What a name stands for now: a HEAD when the registry answers it well, because HEADs do not count against Docker Hub's
// pull limit (rc#215), else a GET whose body is hashed.
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT, parseDocument } from '../manifest/document.ts';
import {
  isIndexType,
  isManifestType,
  isSchema1Type,
  MANIFEST_ACCEPT,
  mediaTypeOf,
} from '../manifest/media-types.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../reference/digest.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import { readBytes } from './body.ts';
import { parseContentLength } from './content-range.ts';
import { type HttpResponse, header } from './http.ts';
import { nearTags } from './near-tags.ts';
import type { Session } from './session.ts';
import { listTags } from './tags.ts';

/** Enough to find a mistyped tag among, in one request. */
const TAGS_TO_COMPARE = 1000;

/**
 * The descriptor of the manifest or index. Throws IMAGE_NOT_FOUND (with tags that come close), DIGEST_MISMATCH,
 * MANIFEST_INVALID, MANIFEST_TOO_LARGE, UNAUTHORIZED, DENIED and what a request throws.
 */
export async function resolveManifest(
  session: Session,
  reference: Reference,
  signal?: AbortSignal,
): Promise<Descriptor> {
  const request = {
    path: `manifests/${reference.digest ?? reference.tag ?? 'latest'}`,
    headers: { accept: MANIFEST_ACCEPT },
    what: formatReference(reference),
    signal,
  };
  const head = await session.request({ ...request, method: 'HEAD' });
  const described = head.status === 200 ? fromHead(head, reference) : undefined;
  if (described !== undefined) {
    await head.body.dump();
    return described;
  }
  if (isFinal(head.status)) throw await notResolved(session, head, reference, signal);
  await head.body.dump();
  // HEAD may be answered 405, 403 (for the error's body: GET), or 200 without digest, length or type.
  const answer = await session.request({ ...request, method: 'GET' });
  if (answer.status !== 200) throw await notResolved(session, answer, reference, signal);
  return await fromBody(answer, reference);
}

function isFinal(status: number): boolean {
  return status === 401 || status === 404 || status === 429 || status >= 500;
}

/** The descriptor as the headers have it; undefined when they do not say enough. */
function fromHead(response: HttpResponse, reference: Reference): Descriptor | undefined {
  const mediaType = mediaTypeOf(header(response.headers, 'content-type') ?? '');
  const size = parseContentLength(header(response.headers, 'content-length'));
  const digest = contentDigest(response) ?? reference.digest;
  if (digest === undefined || size === undefined || size === 0) return undefined;
  if (!isIndexType(mediaType) && !isManifestType(mediaType) && !isSchema1Type(mediaType)) return undefined;
  return { mediaType, digest: agreed(digest, reference), size };
}

async function fromBody(response: HttpResponse, reference: Reference): Promise<Descriptor> {
  const what = formatReference(reference);
  const bytes = await readBytes(response, MANIFEST_LIMIT, what).catch((error: unknown) => {
    if (!isOciError(error, 'REGISTRY_ERROR')) throw error;
    throw new OciError('MANIFEST_TOO_LARGE', `${what}: its manifest is larger than ${MANIFEST_LIMIT} bytes`);
  });
  const promised = contentDigest(response);
  const digest = digestOf(bytes, algorithmOf(reference.digest ?? promised ?? digestOf('')));
  if (promised !== undefined && algorithmOf(promised) === algorithmOf(digest) && promised !== digest) {
    throw new OciError(
      'DIGEST_MISMATCH',
      `${what}: the registry says ${promised}, the bytes have the digest ${digest}`,
    );
  }
  const document = parseDocument(bytes, { contentType: header(response.headers, 'content-type') });
  return { mediaType: document.mediaType, digest: agreed(digest, reference), size: bytes.length };
}

/** `Docker-Content-Digest`: missing at ECR and Red Hat, without its algorithm at Huawei. */
function contentDigest(response: HttpResponse): Digest | undefined {
  const digest = header(response.headers, 'docker-content-digest')?.trim() ?? '';
  return isDigest(digest) ? digest : undefined;
}

/** The digest asked for, when there was one. A registry may name the same content by another algorithm. */
function agreed(digest: Digest, reference: Reference): Digest {
  const wanted = reference.digest;
  if (wanted === undefined) return digest;
  if (algorithmOf(wanted) === algorithmOf(digest) && wanted !== digest) {
    throw new OciError(
      'DIGEST_MISMATCH',
      `${formatReference(reference)}: the registry answered with ${digest}`,
    );
  }
  return wanted;
}

async function notResolved(
  session: Session,
  response: HttpResponse,
  reference: Reference,
  signal: AbortSignal | undefined,
): Promise<Error> {
  const failure = await session.failure(response, { what: formatReference(reference), kind: 'manifest' });
  if (
    !isOciError(failure, 'IMAGE_NOT_FOUND') ||
    failure.hint !== undefined ||
    reference.digest !== undefined
  ) {
    return failure;
  }
  return new OciError(failure.code, failure.message, { hint: await suggestion(session, reference, signal) });
}

async function suggestion(
  session: Session,
  reference: Reference,
  signal: AbortSignal | undefined,
): Promise<string> {
  const name = `${session.registry}/${session.repository}`;
  const tags: string[] = [];
  try {
    for await (const tag of listTags(session, { n: TAGS_TO_COMPARE, signal })) {
      tags.push(tag);
      if (tags.length === TAGS_TO_COMPARE) break;
    }
  } catch (error) {
    if (isOciError(error, 'ABORTED')) throw error;
    return isOciError(error, 'IMAGE_NOT_FOUND')
      ? 'there is no such repository: check its name'
      : `see: ocitool tags ${name}`;
  }
  const near = nearTags(reference.tag ?? 'latest', tags);
  return near.length > 0
    ? `did you mean ${near.join(', ')}? All tags: ocitool tags ${name}`
    : `see: ocitool tags ${name}`;
}
