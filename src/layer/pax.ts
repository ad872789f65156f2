// PAX extended headers (POSIX pax "Extended Header"): `length key=value\n` records which overrule the ustar fields
// of the entry that follows. Values are bytes; nothing is decoded, so hdrcharset=BINARY needs no care.
import { invalidTar, nearestTime } from './tar-fields.ts';

/** What PAX records say of the next entry; absent keys say nothing. Names and link targets are byte strings. */
export interface PaxRecords {
  path?: string;
  linkpath?: string;
  size?: number;
  uid?: number;
  gid?: number;
  mtime?: PaxTime;
  xattrs?: Map<string, Uint8Array>;
  /** The `GNU.sparse.*` records; offset/numbytes pairs of format 0.0 are gathered into `GNU.sparse.map`. */
  sparse?: Map<string, string>;
}

/** A time, exact: whole seconds since 1970, rounded down, and nanoseconds on top. */
export interface PaxTime {
  seconds: number;
  nanos: number;
}

const NEWLINE = 0x0a;
const BLANK = 0x20;
const EQUALS = 0x3d;

/** The records in `body`. Throws LAYER_INVALID for a malformed one. */
export function parsePax(body: Buffer): PaxRecords {
  const records: PaxRecords = {};
  const pairs: string[] = [];
  let at = 0;
  while (at < body.length) {
    const end = at + recordLength(body, at);
    const blank = body.indexOf(BLANK, at);
    const equals = body.indexOf(EQUALS, blank);
    if (equals <= blank + 1 || equals >= end) throw invalidTar('a PAX record has no key');
    const key = body.toString('latin1', blank + 1, equals);
    if (key.includes('\0')) throw invalidTar('a PAX key contains a NUL');
    takeRecord(records, pairs, key, body.subarray(equals + 1, end - 1));
    at = end;
  }
  if (pairs.length > 0) {
    if (pairs.length % 2 !== 0) throw invalidTar('a sparse map has an offset without a length');
    sparseOf(records).set('GNU.sparse.map', pairs.join(','));
  }
  return records;
}

/** The length of the record at `at`, digits, blank and newline included. */
function recordLength(body: Buffer, at: number): number {
  let length = 0;
  let i = at;
  for (; body[i] !== BLANK; i++) {
    const digit = (body[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9 || i - at > 10) throw invalidTar('a PAX record has no length');
    length = length * 10 + digit;
  }
  if (at + length <= i + 1 || at + length > body.length || body[at + length - 1] !== NEWLINE) {
    throw invalidTar('a PAX record has a wrong length');
  }
  return length;
}

function takeRecord(records: PaxRecords, pairs: string[], key: string, value: Buffer): void {
  if (key.startsWith('SCHILY.xattr.')) {
    xattrsOf(records).set(key.slice('SCHILY.xattr.'.length), Uint8Array.from(value));
    return;
  }
  if (key.startsWith('LIBARCHIVE.xattr.')) {
    const name = percentDecoded(key.slice('LIBARCHIVE.xattr.'.length));
    // libarchive writes both forms; the raw one needs no decoding and wins.
    if (!xattrsOf(records).has(name))
      xattrsOf(records).set(name, Uint8Array.from(Buffer.from(value.toString('latin1'), 'base64')));
    return;
  }
  if (key.startsWith('GNU.sparse.')) {
    const text = value.toString('latin1');
    if (key === 'GNU.sparse.name' && text.includes('\0')) throw invalidTar('a PAX name contains a NUL');
    if (key !== 'GNU.sparse.offset' && key !== 'GNU.sparse.numbytes') sparseOf(records).set(key, text);
    else if ((pairs.length % 2 === 0) === (key === 'GNU.sparse.offset')) pairs.push(text);
    else throw invalidTar('a sparse map is out of order');
    return;
  }
  // An empty value takes an earlier record, or a global one, back.
  const text = value.length === 0 ? undefined : value.toString('latin1');
  switch (key) {
    case 'path':
    case 'linkpath':
      if (text?.includes('\0')) throw invalidTar('a PAX name contains a NUL');
      setOrDelete(records, key, text);
      break;
    case 'size':
    case 'uid':
    case 'gid':
      setOrDelete(records, key, text === undefined ? undefined : paxInteger(text));
      break;
    case 'mtime':
      setOrDelete(records, key, text === undefined ? undefined : paxTime(text));
      break;
    case 'uname':
    case 'gname':
      if (text?.includes('\0')) throw invalidTar('a PAX name contains a NUL');
      break;
  }
}

function setOrDelete<K extends keyof PaxRecords>(
  records: PaxRecords,
  key: K,
  value: PaxRecords[K] | undefined,
): void {
  if (value === undefined) delete records[key];
  else records[key] = value;
}

function xattrsOf(records: PaxRecords): Map<string, Uint8Array> {
  records.xattrs ??= new Map();
  return records.xattrs;
}

function sparseOf(records: PaxRecords): Map<string, string> {
  records.sparse ??= new Map();
  return records.sparse;
}

/** A decimal number of a PAX value. Throws LAYER_INVALID. */
export function paxInteger(text: string): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidTar('a number in a PAX header is not one');
  return value === 0 ? 0 : value;
}

/** `1350244992.023960108`, possibly negative, digits past nanoseconds dropped. Throws LAYER_INVALID. */
export function paxTime(text: string): PaxTime {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text);
  const whole = nearestTime(Number(match?.[2] ?? Number.NaN));
  if (match === null) throw invalidTar('a time in a PAX header is not one');
  const nanos = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] !== '-') return { seconds: whole, nanos };
  if (nanos === 0) return { seconds: 0 - whole, nanos };
  return { seconds: nearestTime(-whole - 1), nanos: 1_000_000_000 - nanos };
}

function percentDecoded(name: string): string {
  return name.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
