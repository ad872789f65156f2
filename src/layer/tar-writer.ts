// Tar headers for export: ustar, with a PAX header in front where ustar has no room or no way to say it.
// Reproducible: nothing of the machine or the moment goes in.
import { padded } from './sparse.ts';
import type { EntryKind, TarEntry } from './tar-entry.ts';
import { BLOCK } from './tar-fields.ts';

/** What follows the last entry. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

const TYPE: Readonly<Record<EntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const MAX_7 = 0o7777777;
const MAX_11 = 0o77777777777;
const NOT_ASCII = /[^\x00-\x7f]/;

/** The header blocks of an entry; `size` bytes of body, padded to whole blocks, belong behind a file's. */
export function tarHeader(entry: TarEntry): Buffer {
  const records = paxRecords(entry);
  const header = ustarHeader(entry, TYPE[entry.kind], entry.kind === 'file' ? entry.size : 0);
  if (records.length === 0) return header;
  const body = Buffer.alloc(padded(records.length));
  records.copy(body);
  const pax: TarEntry = {
    ...entry,
    path: `PaxHeaders/${entry.path.slice(-80)}`,
    link: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 0,
  };
  return Buffer.concat([ustarHeader(pax, 'x', records.length), body, header]);
}

function ustarHeader(
  { path, link, mode, uid, gid, mtime, major, minor }: TarEntry,
  type: string,
  size: number,
): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(path.slice(0, 100), 0, 'latin1');
  octal(block, 100, 7, mode);
  octal(block, 108, 7, uid > MAX_7 ? 0 : uid);
  octal(block, 116, 7, gid > MAX_7 ? 0 : gid);
  octal(block, 124, 11, size > MAX_11 ? 0 : size);
  octal(block, 136, 11, mtime < 0 || mtime > MAX_11 ? 0 : mtime);
  block.write(type, 156, 'latin1');
  block.write(link.slice(0, 100), 157, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  octal(block, 329, 7, major);
  octal(block, 337, 7, minor);
  block.fill(' ', 148, 156);
  let sum = 0;
  for (const byte of block) sum += byte;
  octal(block, 148, 6, sum);
  block[154] = 0;
  return block;
}

function octal(block: Buffer, at: number, digits: number, value: number): void {
  block.write(value.toString(8).padStart(digits, '0'), at, 'latin1');
}

function paxRecords(entry: TarEntry): Buffer {
  const { path, link, uid, gid, mtime, mtimeNanos } = entry;
  const records: Buffer[] = [];
  const add = (key: string, value: string | Uint8Array): void => {
    records.push(paxRecord(key, typeof value === 'string' ? Buffer.from(value, 'latin1') : value));
  };
  const longPath = path.length > 100 || NOT_ASCII.test(path);
  const longLink = link.length > 100 || NOT_ASCII.test(link);
  if ((longPath && !isUtf8(path)) || (longLink && !isUtf8(link))) add('hdrcharset', 'BINARY');
  if (longPath) add('path', path);
  if (longLink) add('linkpath', link);
  if (entry.kind === 'file' && entry.size > MAX_11) add('size', String(entry.size));
  if (uid > MAX_7) add('uid', String(uid));
  if (gid > MAX_7) add('gid', String(gid));
  if (mtimeNanos !== 0 || mtime < 0 || mtime > MAX_11) add('mtime', paxTimeText(mtime, mtimeNanos));
  const xattrs = [...(entry.xattrs ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, value] of xattrs) add(`SCHILY.xattr.${name}`, value);
  return Buffer.concat(records);
}

/** `length key=value\n`, whose length counts its own digits. */
function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** Seconds with a fraction, as PAX wants them: a negative time counts its fraction downwards. */
export function paxTimeText(seconds: number, nanos: number): string {
  const negative = seconds < 0;
  const whole = negative && nanos > 0 ? -seconds - 1 : Math.abs(seconds);
  const fraction = String(negative && nanos > 0 ? 1_000_000_000 - nanos : nanos)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

function isUtf8(name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  return bytes.equals(Buffer.from(bytes.toString('utf8'), 'utf8'));
}
