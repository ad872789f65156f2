// What a request is answered with, as data: the router decides, `send` writes.
import type { ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { BlobLocation } from '../place/place.ts';
import { readRange } from '../place/read-range.ts';

/** Error codes of the distribution-spec that a read-only registry needs. */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

export interface Answer {
  status: number;
  headers: Record<string, string | number>;
  body?: Buffer | BlobLocation;
}

/** An error as the distribution-spec's JSON. */
export function errorAnswer(status: number, code: RegistryErrorCode, message: string): Answer {
  return jsonAnswer({ errors: [{ code, message }] }, status);
}

export function jsonAnswer(value: unknown, status = 200): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return { status, headers: { 'content-type': 'application/json', 'content-length': body.length }, body };
}

/** Writes the answer; files are streamed. A client that goes away in the middle is no error. */
export async function send(response: ServerResponse, answer: Answer, withBody: boolean): Promise<void> {
  response.writeHead(answer.status, { 'docker-distribution-api-version': 'registry/2.0', ...answer.headers });
  if (!withBody || answer.body === undefined) {
    response.end();
  } else if (Buffer.isBuffer(answer.body)) {
    response.end(answer.body);
  } else {
    await pipeline(readRange(answer.body), response).catch(() => response.destroy());
  }
}
