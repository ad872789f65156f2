// One upload as the registry keeps it: where it is, how far it got, and the requests that move it on (distribution spec,
// pushing blobs).
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { discard } from './body.ts';
import { parseContentLength } from './content-range.ts';
import { type HttpRequest, type HttpResponse, header } from './http.ts';
import type { Session } from './session.ts';

/** An upload that was begun. */
export interface Upload {
  /** Absolute; each answer may give another. */
  location: string;
  /** The registry wants chunks of at least this many bytes (`OCI-Chunk-Min-Length`). */
  minChunk: number;
}

/** Success in one registry or another; the spec knows 201, 202 and 204. */
const DONE = new Set([200, 201, 202, 204]);

export function isDone(status: number): boolean {
  return DONE.has(status);
}

/** The upload an answer to POST, PATCH or a question after its status speaks of. Throws REGISTRY_ERROR without a Location. */
export function uploadFrom(response: HttpResponse, what: string, earlier?: Upload): Upload {
  const location = header(response.headers, 'location') ?? earlier?.location;
  if (location === undefined || !URL.canParse(location, response.url)) {
    throw new OciError(
      'REGISTRY_ERROR',
      `${what}: ${response.url.host} began an upload without saying where`,
    );
  }
  const url = new URL(location, response.url);
  // A registry that does not know of the TLS proxy before it names itself by http.
  if (
    url.hostname === response.url.hostname &&
    response.url.protocol === 'https:' &&
    url.protocol === 'http:'
  ) {
    url.protocol = 'https:';
    url.port = response.url.port;
  }
  const minChunk =
    parseContentLength(header(response.headers, 'oci-chunk-min-length')) ?? earlier?.minChunk ?? 0;
  return { location: url.href, minChunk };
}

/** Bytes the registry has of an upload; undefined when it knows nothing of it, or says nothing. */
export async function uploadStatus(
  session: Session,
  upload: Upload,
  what: string,
  signal?: AbortSignal,
): Promise<{ upload: Upload; offset: number } | undefined> {
  const response = await session.request({ method: 'GET', path: upload.location, what, signal });
  await discard(response);
  if (!isDone(response.status)) return undefined;
  const [, last] = /^(?:bytes=)?0-(\d+)$/.exec(header(response.headers, 'range') ?? '') ?? [];
  // `0-0` is one byte or none.
  if (last === undefined || last === '0') return undefined;
  return { upload: uploadFrom(response, what, upload), offset: Number(last) + 1 };
}

/** Tells the registry to forget an upload. What it answers does not matter: it forgets by itself in time. */
export async function cancelUpload(session: Session, upload: Upload, what: string): Promise<void> {
  try {
    await discard(await session.request({ method: 'DELETE', path: upload.location, what }));
  } catch {
    // The upload failed already; that is what there is to tell.
  }
}

/** Bytes that follow what the registry has. `at` is where they begin. */
export function patchUpload(
  session: Session,
  upload: Upload,
  part: { body: HttpRequest['body']; at: number; length: number; what: string; signal: AbortSignal },
): Promise<HttpResponse> {
  const { body, at, length, what, signal } = part;
  const headers = {
    'content-type': 'application/octet-stream',
    'content-range': `${at}-${at + length - 1}`,
    'content-length': String(length),
  };
  return session.request({ method: 'PATCH', path: upload.location, headers, body, what, signal });
}

/** Ends the upload with all of its bytes, or none when they are there already. */
export function putUpload(
  session: Session,
  upload: Upload,
  { digest }: Descriptor,
  last: { body?: HttpRequest['body']; length: number; what: string; signal: AbortSignal },
): Promise<HttpResponse> {
  // Written behind the query as it stands: a signature in it may not survive being parsed and written again.
  const joint = new URL(upload.location).search === '' ? '?' : '&';
  const path = `${upload.location}${joint}digest=${encodeURIComponent(digest)}`;
  const { body, length, what, signal } = last;
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(length) };
  return session.request({ method: 'PUT', path, headers, body, what, signal });
}
