// What a request is answered with, as data: the router decides, `send` writes.
import type { ServerResponse } from 'node:http';
import type { BlobLocation } from '../place/place.ts';
import { type ArrivingPart, sendArriving } from './send-arriving.ts';
import { sendFile } from './send-file.ts';

/** Error codes of the distribution-spec. */
export type RegistryErrorCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DENIED'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'PAGINATION_NUMBER_INVALID'
  | 'SIZE_INVALID'
  | 'TOOMANYREQUESTS'
  | 'UNAUTHORIZED'
  | 'UNKNOWN'
  | 'UNSUPPORTED';

export interface Answer {
  status: number;
  headers: Record<string, string | number | string[]>;
  body?: Buffer | BlobLocation | ArrivingPart;
}

/** An error as the distribution-spec's JSON. */
export function errorAnswer(status: number, code: RegistryErrorCode, message: string): Answer {
  return jsonAnswer({ errors: [{ code, message }] }, status);
}

export function jsonAnswer(value: unknown, status = 200): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  return { status, headers: { 'content-type': 'application/json', 'content-length': body.length }, body };
}

/** A failure that is an answer: what is thrown out of the middle of a request. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly answer: Answer;

  constructor(
    status: number,
    code: RegistryErrorCode,
    message: string,
    headers: Record<string, string | number | string[]> = {},
  ) {
    super(message);
    const answer = errorAnswer(status, code, message);
    this.answer = { ...answer, headers: { ...answer.headers, ...headers } };
  }
}

/** An answer without a body. */
export function emptyAnswer(
  status: number,
  headers: Record<string, string | number | string[]> = {},
): Answer {
  return { status, headers: { ...headers, ...(status === 204 ? {} : { 'content-length': 0 }) } };
}

/** Writes the answer; files are streamed. A client that goes away in the middle is no error. */
export async function send(response: ServerResponse, answer: Answer, withBody: boolean): Promise<void> {
  response.writeHead(answer.status, { 'docker-distribution-api-version': 'registry/2.0', ...answer.headers });
  if (!withBody || answer.body === undefined) {
    response.end();
  } else if (Buffer.isBuffer(answer.body)) {
    response.end(answer.body);
  } else if ('content' in answer.body) {
    await sendArriving(response, answer.body);
  } else {
    await sendFile(response, answer.body);
  }
}
