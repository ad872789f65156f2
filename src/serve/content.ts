// Content as an answer: whole, in part, or not again to who has it (RFC 9110).
import type { IncomingMessage } from 'node:http';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { BlobLocation } from '../place/place.ts';
import { type Answer, errorAnswer } from './answer.ts';
import { parseRange } from './range.ts';
import { type ArrivingContent, isArrivingContent } from './upstream.ts';

/** Where the bytes are. Whoever does not use what is still arriving releases it. */
export type Content = Buffer | BlobLocation | ArrivingContent;

/** `content` is asked for when bytes of it are wanted. */
export async function answerContent(
  request: IncomingMessage,
  descriptor: Descriptor,
  content: () => Promise<Content>,
): Promise<Answer> {
  const { digest, size, mediaType } = descriptor;
  const etag = `"${digest}"`;
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag,
  };
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) return { status: 304, headers };
  if (request.method !== 'GET') return { status: 200, headers: { ...headers, 'content-length': size } };
  const condition = request.headers['if-range'];
  const wanted = condition === undefined || condition === etag;
  const range = wanted ? parseRange(request.headers.range, size) : 'whole';
  if (range === 'unsatisfiable') {
    const refusal = errorAnswer(416, 'UNSUPPORTED', `the content has ${size} bytes`);
    return { ...refusal, headers: { ...refusal.headers, 'content-range': `bytes */${size}` } };
  }
  const { first, last } = range === 'whole' ? { first: 0, last: size - 1 } : range;
  const length = last - first + 1;
  return {
    status: range === 'whole' ? 200 : 206,
    headers: {
      ...headers,
      'content-length': length,
      ...(range === 'whole' ? {} : { 'content-range': `bytes ${first}-${last}/${size}` }),
    },
    body: part(await content(), first, length),
  };
}

function part(content: Content, offset: number, size: number): NonNullable<Answer['body']> {
  if (Buffer.isBuffer(content)) return content.subarray(offset, offset + size);
  if (isArrivingContent(content)) return { content, offset, size };
  return { path: content.path, offset: content.offset + offset, size };
}
