// The fields of a 512-byte tar header block (POSIX ustar, GNU, star and v7), read as Go's archive/tar reads them:
// image layers are what Go programs wrote, and what Go programs accept.
import { OciError } from '../errors.ts';

export const BLOCK = 512;

/** Which fields beyond v7's a header has. */
export type TarFormat = 'v7' | 'ustar' | 'star' | 'gnu';

/** A header block that is not one, or a header whose values cannot be. */
export function invalidTar(why: string): OciError {
  return new OciError('LAYER_INVALID', `the layer is not a valid tar archive: ${why}`);
}

/** True when the block at `at` is all NULs: half of the end mark. */
export function isZeroBlock(slab: Buffer, at: number): boolean {
  for (let i = at; i < at + BLOCK; i++) if (slab[i] !== 0) return false;
  return true;
}

/** Throws LAYER_INVALID unless the block's checksum holds, summed unsigned or, as some old tars did, signed. */
export function verifyChecksum(slab: Buffer, at: number): void {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = at; i < at + BLOCK; i++) {
    const byte = slab[i] as number;
    unsigned += byte;
    high += byte >>> 7;
  }
  for (let i = at + 148; i < at + 156; i++) {
    const byte = slab[i] as number;
    unsigned -= byte;
    high -= byte >>> 7;
  }
  const stored = tarNumber(slab, at + 148, 8);
  if (stored !== unsigned && stored !== unsigned - 256 * high) throw invalidTar('a header checksum is wrong');
}

export function tarFormat(slab: Buffer, at: number): TarFormat {
  const magic = slab.toString('latin1', at + 257, at + 265);
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  return slab.toString('latin1', at + 508, at + 512) === 'tar\0' ? 'star' : 'ustar';
}

/** The bytes of a field up to its first NUL, as a byte string. */
export function tarString(slab: Buffer, at: number, length: number): string {
  let end = at;
  while (end < at + length && slab[end] !== 0) end++;
  return slab.toString('latin1', at, end);
}

/**
 * A number field: octal text padded with blanks and NULs, or big-endian base-256 when the first bit is set (GNU),
 * which may be negative. Throws LAYER_INVALID, also for what a double cannot hold exactly.
 */
export function tarNumber(slab: Buffer, at: number, length: number): number {
  const value = anyNumber(slab, at, length);
  if (!Number.isSafeInteger(value)) throw invalidTar('a number in a header is too large');
  return value;
}

/** A number field that is a time, in seconds; one no clock will ever show becomes the last, or first, we can hold. */
export function tarTime(slab: Buffer, at: number, length: number): number {
  return nearestTime(anyNumber(slab, at, length));
}

/** `seconds`, or the nearest that a double holds exactly: Go's tools run images with such times. */
export function nearestTime(seconds: number): number {
  return Math.min(Math.max(seconds, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

function anyNumber(slab: Buffer, at: number, length: number): number {
  const first = slab[at] as number;
  if (first & 0x80) return base256(slab, at, length, first);
  let from = at;
  let to = at + length;
  while (from < to && isPadding(slab[from] as number)) from++;
  while (to > from && isPadding(slab[to - 1] as number)) to--;
  let value = 0;
  for (let i = from; i < to; i++) {
    const byte = slab[i] as number;
    // Some writers end the text with a NUL and leave bytes of an earlier header after it.
    if (byte === 0) break;
    const digit = byte - 0x30;
    if (digit < 0 || digit > 7) throw invalidTar('a number in a header is not one');
    value = value * 8 + digit;
  }
  return value;
}

function base256(slab: Buffer, at: number, length: number, first: number): number {
  const negative = (first & 0x40) !== 0;
  let value = negative ? (first & 0x7f) - 0x80 : first & 0x7f;
  for (let i = at + 1; i < at + length; i++) value = value * 256 + (slab[i] as number);
  return value;
}

function isPadding(byte: number): boolean {
  return byte === 0x20 || byte === 0;
}
