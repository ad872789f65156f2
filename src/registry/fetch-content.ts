// The bytes a descriptor names: from the registry, or for foreign layers it does not hold, from their own URLs.
import { Readable } from 'node:stream';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isIndexType, isManifestType, isSchema1Type, MANIFEST_ACCEPT } from '../manifest/media-types.ts';
import type { FetchOptions } from '../place/place.ts';
import { discard } from './body.ts';
import { parseContentLength, parseContentRange } from './content-range.ts';
import { type HttpResponse, header } from './http.ts';
import { passingRefusal } from './passing-refusal.ts';
import { type OpenedBody, resumingBody } from './resuming-body.ts';
import { waitToRetry } from './retry.ts';
import type { Session } from './session.ts';

/**
 * The content from `offset` on; goes on by itself when a connection breaks. Throws BLOB_NOT_FOUND, IMAGE_NOT_FOUND (a
 * manifest), SIZE_MISMATCH (the registry has fewer bytes), REGISTRY_ERROR, UNAUTHORIZED, DENIED and what a request
 * throws.
 */
export async function fetchContent(
  session: Session,
  descriptor: Descriptor,
  { offset = 0, end, signal, onSetback }: FetchOptions = {},
): Promise<Readable> {
  if (offset > 0 && offset === descriptor.size) return Readable.from([]);
  const open = (first: number, stop: AbortSignal | undefined): Promise<OpenedBody> =>
    openPart(session, descriptor, { first, end }, { signal: stop, onSetback });
  return resumingBody(await open(offset, signal), {
    transport: session.transport,
    descriptor,
    offset,
    end,
    what: nameOf(session, descriptor),
    open,
    signal,
    onSetback,
  });
}

/** Bytes wanted: all from `first` on, or those before `end` and nothing else. */
interface Part {
  first: number;
  end: number | undefined;
}

async function openPart(
  session: Session,
  descriptor: Descriptor,
  part: Part,
  { signal, onSetback }: Pick<FetchOptions, 'signal' | 'onSetback'>,
): Promise<OpenedBody> {
  const kind = isDocument(descriptor.mediaType) ? 'manifest' : 'blob';
  const what = nameOf(session, descriptor);
  const ask = (headers: Record<string, string>): Promise<HttpResponse> =>
    session.request({
      method: 'GET',
      path: `${kind}s/${descriptor.digest}`,
      headers: kind === 'manifest' ? { ...headers, accept: MANIFEST_ACCEPT } : headers,
      what,
      signal,
      onSetback,
    });
  let whole = false;
  for (let attempt = 1; ; attempt += 1) {
    const response = await ask(whole ? {} : rangeOf(part));
    if (response.status === 404 && (descriptor.urls?.length ?? 0) > 0) {
      await discard(response);
      return await openForeign(session, descriptor, part, signal);
    }
    const opened = accept(response, descriptor, part);
    if (opened !== undefined) return whole ? longEnough(opened, descriptor, what) : opened;
    if (part.end !== undefined && [200, 206, 416].includes(response.status)) {
      response.body.destroy();
      throw new OciError('UNSUPPORTED', `${what}: ${response.url.host} does not give parts of blobs`);
    }
    if (part.first > 0 && !whole && (response.status === 206 || response.status === 416)) {
      // Bytes of another range, or none: refused, and asked for from the start, past what is held already.
      response.body.destroy();
      whole = true;
      continue;
    }
    const refusal = await passingRefusal(session, response, what, signal);
    if (refusal === undefined) throw await session.failure(response, { what, kind });
    if (attempt > session.transport.retry.retries) throw refusal;
    onSetback?.(response.status);
    const { digest } = descriptor;
    await waitToRetry(session.transport, { what, failure: refusal, attempt, digest, signal });
  }
}

/** Throws SIZE_MISMATCH when the whole blob that is to be read past what is held does not reach there. */
function longEnough(opened: OpenedBody, { size }: Descriptor, what: string): OpenedBody {
  const { response, skip } = opened;
  const length = parseContentLength(header(response.headers, 'content-length'));
  if (length === undefined || length > skip) return opened;
  response.body.destroy();
  throw new OciError('SIZE_MISMATCH', `${what}: the registry has only ${length} of ${size} bytes`, {
    hint: 'the registry holds a damaged copy; report it to whoever runs it',
  });
}

/** Foreign layers stay where their owner put them; no credential goes there (CVE-2020-15157). */
async function openForeign(
  session: Session,
  descriptor: Descriptor,
  part: Part,
  signal: AbortSignal | undefined,
): Promise<OpenedBody> {
  const what = nameOf(session, descriptor);
  const onBehalfOf = await session.transport.origin(session.registry, { signal });
  let failure: unknown;
  for (const url of descriptor.urls ?? []) {
    try {
      if (!URL.canParse(url)) throw new OciError('BLOB_NOT_FOUND', `${what}: ${url}: not an address`);
      const request = { method: 'GET', url, headers: rangeOf(part), what, signal, onBehalfOf } as const;
      const response = await session.transport.request(request);
      const opened = accept(response, descriptor, part);
      if (opened !== undefined) return opened;
      throw await session.failure(response, { what, kind: 'blob' });
    } catch (error) {
      if (signal?.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

/** No range from zero: some servers refuse it. */
function rangeOf({ first, end }: Part): Record<string, string> {
  if (end !== undefined) return { range: `bytes=${first}-${end - 1}` };
  return first > 0 ? { range: `bytes=${first}-` } : {};
}

/** The answer's body when it holds the bytes wanted; undefined when it does not. */
function accept(
  response: HttpResponse,
  descriptor: Descriptor,
  { first, end }: Part,
): OpenedBody | undefined {
  if (response.status === 200 && end === undefined) return { response, skip: first };
  if (response.status !== 206) return undefined;
  const range = parseContentRange(header(response.headers, 'content-range'));
  const fits = range?.first === first && (range.complete ?? descriptor.size) === descriptor.size;
  return fits ? { response, skip: 0 } : undefined;
}

/** True for what the manifests endpoint has, false for blobs. */
export function isDocument(mediaType: string): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType) || isSchema1Type(mediaType);
}

/** `docker.io/library/alpine@sha256:…`, for messages. */
export function nameOf(session: Session, descriptor: Descriptor): string {
  return `${session.registry}/${session.repository}@${descriptor.digest}`;
}
