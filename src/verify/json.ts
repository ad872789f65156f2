// The JSON of signatures: from strangers, so bounded before it is parsed, and taken apart member by member.
import { isRecord } from '../json.ts';
import { refusal } from './signature.ts';

/** The object in `bytes`; `what` is what it should be. */
export function parseSigned(bytes: Uint8Array | string, what: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw refusal(`its ${what} is not JSON`, cause);
  }
  if (!isRecord(json)) throw refusal(`its ${what} is not a JSON object`);
  return json;
}

/** `member` of an object, when it is one itself; else an empty one, which lacks whatever is asked of it. */
export function objectAt(json: Record<string, unknown>, member: string): Record<string, unknown> {
  const value = Object.hasOwn(json, member) ? json[member] : undefined;
  return isRecord(value) ? value : {};
}

/** `member` of an object, when it is text. */
export function textAt(json: Record<string, unknown>, member: string): string | undefined {
  const value = Object.hasOwn(json, member) ? json[member] : undefined;
  return typeof value === 'string' ? value : undefined;
}

/** The members that are text. */
export function textsOf(json: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(json).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The bytes of base64 text; Node would skip over what is none. */
export function decodeBase64(text: string, what: string): Buffer {
  const trimmed = text.trim();
  if (trimmed === '' || !BASE64.test(trimmed)) throw refusal(`its ${what} is not base64`);
  return Buffer.from(trimmed, 'base64');
}
