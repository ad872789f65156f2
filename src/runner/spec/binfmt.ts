// What the kernel runs by an interpreter of the host (binfmt_misc): how a program of another architecture can work.
import { readdirSync, readFileSync } from 'node:fs';

/** One enabled entry. */
export interface BinaryFormat {
  name: string;
  offset: number;
  magic: Buffer;
  mask: Buffer | undefined;
  /** Undefined for an entry that goes by magic. */
  extension?: string;
}

const FOLDER = '/proc/sys/fs/binfmt_misc';

/** The enabled entries of this machine. */
export function readBinaryFormats(): BinaryFormat[] {
  try {
    return readdirSync(FOLDER)
      .filter((name) => name !== 'register' && name !== 'status')
      .flatMap((name) => parseBinaryFormat(name, readFileSync(`${FOLDER}/${name}`, 'utf8')) ?? []);
  } catch {
    return [];
  }
}

/** An entry's file (kernel, admin-guide/binfmt-misc.rst); undefined when it is disabled. */
export function parseBinaryFormat(name: string, text: string): BinaryFormat | undefined {
  const lines = text.split('\n');
  if (lines[0] !== 'enabled') return undefined;
  const field = (key: string): string | undefined =>
    lines.find((line) => line.startsWith(`${key} `))?.slice(key.length + 1);
  const extension = field('extension')?.replace(/^\./, '');
  const magic = Buffer.from(field('magic') ?? '', 'hex');
  if (magic.length === 0 && extension === undefined) return undefined;
  const mask = field('mask');
  return {
    name,
    offset: Number(field('offset') ?? 0),
    magic,
    mask: mask === undefined ? undefined : Buffer.from(mask, 'hex'),
    ...(extension === undefined ? {} : { extension }),
  };
}

/** Whether the kernel would hand the file at `path`, which begins with `head`, to an entry's interpreter. */
export function isHandled(path: string, head: Buffer, formats: readonly BinaryFormat[]): boolean {
  return formats.some(({ offset, magic, mask, extension }) => {
    if (extension !== undefined) return path.endsWith(`.${extension}`);
    const there = head.subarray(offset, offset + magic.length);
    if (there.length < magic.length) return false;
    return magic.every((byte, i) => {
      const significant = mask?.[i] ?? 0xff;
      return ((there[i] as number) & significant) === (byte & significant);
    });
  });
}
