// What a name stands for now, as far as registries tell it: by reading the document, or by a HEAD where only the digest matters.
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import {
  isIndexType,
  isManifestType,
  isSchema1Type,
  MANIFEST_ACCEPT,
  mediaTypeOf,
} from '../manifest/media-types.ts';
import type { ResolveOptions } from '../place/place.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../reference/digest.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import { discard, readBytes } from './body.ts';
import { parseContentLength } from './content-range.ts';
import { type HttpResponse, header } from './http.ts';
import { nearTags } from './near-tags.ts';
import { passingRefusal } from './passing-refusal.ts';
import { waitToRetry } from './retry.ts';
import type { Session } from './session.ts';
import { listTags } from './tags.ts';

/** A manifest or index by its descriptor, with its bytes when it was read to find out. */
export interface Resolved {
  descriptor: Descriptor;
  raw?: Buffer;
}

/** Enough to find a mistyped tag among, in one request. */
const TAGS_TO_COMPARE = 1000;

/**
 * The manifest or index the reference stands for. `cheap` asks with HEAD, which does not count against Docker Hub's
 * pull limit (rc#215), but whose length may be another than the document's (Harbor, oras-go#1176).
 * Throws IMAGE_NOT_FOUND (with tags that come close), DIGEST_MISMATCH, MANIFEST_INVALID, MANIFEST_TOO_LARGE,
 * UNAUTHORIZED, DENIED and what a request throws.
 */
export async function resolveManifest(
  session: Session,
  reference: Reference,
  { cheap, signal, suggest = true }: ResolveOptions & { suggest?: boolean | undefined } = {},
): Promise<Resolved> {
  const request = {
    path: `manifests/${reference.digest ?? reference.tag ?? 'latest'}`,
    headers: { accept: MANIFEST_ACCEPT },
    what: formatReference(reference),
    signal,
  };
  if (cheap === true) {
    const response = await session.request({ ...request, method: 'HEAD' });
    const descriptor = response.status === 200 ? fromHead(response, reference) : undefined;
    if (descriptor === undefined && isFinal(response.status)) {
      throw await notResolved(session, response, reference, suggest, signal);
    }
    await discard(response);
    if (descriptor !== undefined) return { descriptor };
    // A HEAD may be answered 405, 403 or 404 (a GET has the reason), or 200 without digest, length or type.
  }
  let changes = 0;
  for (let attempt = 1; ; attempt += 1) {
    const response = await session.request({ ...request, method: 'GET' });
    const failure =
      response.status === 200 ? undefined : await passingRefusal(session, response, request.what, signal);
    if (response.status !== 200 && failure === undefined) {
      throw await notResolved(session, response, reference, suggest, signal);
    }
    const outcome = failure ?? (await fromBody(session, response, reference).catch(retriable));
    if (!isOciError(outcome)) return outcome;
    // A line or proxy changes bytes once; twice is how they are.
    if (isOciError(outcome, 'DIGEST_MISMATCH') && changes++ > 0) throw outcome;
    if (attempt > session.transport.retry.retries) throw outcome;
    await waitToRetry(session.transport, { what: request.what, failure: outcome, attempt, signal });
  }
}

/** A body that broke off or was changed on its way. */
function retriable(error: unknown): OciError {
  const codes = ['NETWORK', 'TIMEOUT', 'DIGEST_MISMATCH'] as const;
  if (isOciError(error) && codes.some((code) => isOciError(error, code))) return error;
  throw error;
}

function isFinal(status: number): boolean {
  return status === 401 || status === 429 || status >= 500;
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

async function fromBody(session: Session, response: HttpResponse, reference: Reference): Promise<Resolved> {
  const what = formatReference(reference);
  const raw = await readBytes(response, MANIFEST_LIMIT, what).catch((error: unknown) => {
    if (!isOciError(error, 'REGISTRY_ERROR')) throw error;
    throw new OciError('MANIFEST_TOO_LARGE', `${what}: its manifest is larger than ${MANIFEST_LIMIT} bytes`, {
      hint: 'no real image needs a manifest this large; do not trust it',
    });
  });
  const promised = contentDigest(response);
  const digest = digestOf(raw, algorithmOf(reference.digest ?? promised ?? digestOf('')));
  if (promised !== undefined && algorithmOf(promised) === algorithmOf(digest) && promised !== digest) {
    throw changed(`${what}: the registry says ${promised}, but the bytes have the digest ${digest}`);
  }
  agreed(digest, reference);
  const document = parseDocument(raw, { contentType: header(response.headers, 'content-type') });
  if (document.warning !== undefined) {
    session.transport.onProgress({ type: 'warning', message: `${what}: ${document.warning}` });
  }
  return { descriptor: { mediaType: document.mediaType, digest, size: raw.length }, raw };
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
    throw changed(`${formatReference(reference)}: the registry answered with ${digest}`);
  }
  return wanted;
}

function changed(message: string): OciError {
  return new OciError('DIGEST_MISMATCH', message, {
    hint: 'the registry or a proxy changed it; report it to whoever runs the registry',
  });
}

async function notResolved(
  session: Session,
  response: HttpResponse,
  reference: Reference,
  suggest: boolean,
  signal: AbortSignal | undefined,
): Promise<Error> {
  const failure = await session.failure(response, { what: formatReference(reference), kind: 'manifest' });
  const isTag = reference.digest === undefined;
  if (!suggest || !isTag || !isOciError(failure, 'IMAGE_NOT_FOUND') || failure.hint !== undefined)
    return failure;
  return new OciError(failure.code, failure.message, { hint: await suggestion(session, reference, signal) });
}

async function suggestion(
  session: Session,
  reference: Reference,
  signal: AbortSignal | undefined,
): Promise<string> {
  const all = `ocitool tags ${session.registry}/${session.repository}`;
  const tags: string[] = [];
  try {
    for await (const tag of listTags(session, { n: TAGS_TO_COMPARE, signal })) {
      if (tags.push(tag) === TAGS_TO_COMPARE) break;
    }
  } catch (error) {
    if (isOciError(error, 'ABORTED')) throw error;
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return 'there is no such repository: check its name';
  }
  const near = nearTags(reference.tag ?? 'latest', tags);
  return near.length > 0
    ? `did you mean ${near.join(', ')}? All tags: ${all}`
    : `see what there is with: ${all}`;
}
