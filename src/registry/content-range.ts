// Reads `Content-Range` (RFC 9110, 14.4) strictly: bytes of a wrong range must never be taken for the right ones.

/** First and last byte, inclusive; `complete` is undefined when the server does not know it. */
export interface ContentRange {
  first: number;
  last: number;
  complete: number | undefined;
}

const CONTENT_RANGE = /^bytes (\d{1,15})-(\d{1,15})\/(?:(\d{1,15})|\*)$/;

/** The range; undefined when the header is missing or is anything else. */
export function parseContentRange(header: string | undefined): ContentRange | undefined {
  const match = CONTENT_RANGE.exec(header ?? '');
  if (match === null) return undefined;
  const complete = match[3] === undefined ? undefined : Number(match[3]);
  return { first: Number(match[1]), last: Number(match[2]), complete };
}

/** `Content-Length` in bytes; undefined when it is missing or no number. */
export function parseContentLength(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
