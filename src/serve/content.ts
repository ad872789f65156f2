// Bytes of the store as an answer: whole, in part, or not again to who has them (RFC 9110).
import type { IncomingMessage } from 'node:http';
import type { BlobStore } from '../blobstore/store.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { type Answer, errorAnswer } from './answer.ts';
import { parseRange } from './range.ts';

export async function answerContent(
  store: BlobStore,
  request: IncomingMessage,
  descriptor: Descriptor,
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
  const location = await store.locate(descriptor);
  const condition = request.headers['if-range'];
  const wanted = request.method === 'GET' && (condition === undefined || condition === etag);
  const range = wanted ? parseRange(request.headers.range, size) : 'whole';
  if (range === 'whole')
    return { status: 200, headers: { ...headers, 'content-length': size }, body: location };
  if (range === 'unsatisfiable') {
    const refusal = errorAnswer(416, 'UNSUPPORTED', `the content has ${size} bytes`);
    return { ...refusal, headers: { ...refusal.headers, 'content-range': `bytes */${size}` } };
  }
  const length = range.last - range.first + 1;
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': length,
      'content-range': `bytes ${range.first}-${range.last}/${size}`,
    },
    body: { path: location.path, offset: location.offset + range.first, size: length },
  };
}
