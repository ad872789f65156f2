// Bytes to a JSON object, for documents that strangers wrote.
import { type ErrorCode, OciError } from '../errors.ts';
import { isRecord } from '../json.ts';

/**
 * The object in `bytes`. Of a key written twice the last one counts, as in Go and JavaScript alike. A byte order mark is
 * refused (RFC 8259, 8.1), as Go's tools do: what they would not read must not mean something to us.
 * Throws `code`.
 */
export function parseObject(
  bytes: Uint8Array,
  name: string,
  code: ErrorCode & ('MANIFEST_INVALID' | 'CONFIG_INVALID'),
): Record<string, unknown> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new OciError(code, `${name}: ${whyNotJson(text)}`, { hint: hintFor(text), cause });
  }
  if (isRecord(json)) return json;
  throw new OciError(code, `${name}: it is JSON, but not an object`, { hint: hintFor(text) });
}

function whyNotJson(text: string): string {
  if (text === '') return 'it is empty';
  if (text.startsWith('\uFEFF')) return 'it begins with a byte order mark, which JSON must not have';
  return isWebPage(text) ? 'it is a web page, not JSON' : 'it is not JSON';
}

function hintFor(text: string): string {
  return isWebPage(text)
    ? 'something between here and the registry answers in its place: a proxy, or a login page'
    : 'whatever made this image wrote a broken document; it has to be built or pushed again';
}

function isWebPage(text: string): boolean {
  return /^\s*<(?:!doctype|html)/i.test(text.slice(0, 200));
}
