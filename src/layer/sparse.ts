// The three ways GNU tar notes where a sparse file has data: old GNU headers, PAX formats 0.0 and 0.1 (a map in a
// record) and PAX 1.0 (a map in front of the body). GNU tar manual, "Storing Sparse Files".
import { BLOCK, invalidTar, tarNumber } from './tar-fields.ts';

/** A stretch of a sparse file that has data. Bytes. */
export interface SparseRegion {
  offset: number;
  length: number;
}

/** One blocks's worth of an old GNU map. */
const OLD_ENTRY = 24;

/** Adds the `count` map entries at `at` of an old GNU header or extension block; an empty one ends them. */
export function readOldSparseEntries(slab: Buffer, at: number, count: number, regions: SparseRegion[]): void {
  for (let entry = at; entry < at + count * OLD_ENTRY; entry += OLD_ENTRY) {
    if (slab[entry] === 0) return;
    regions.push({ offset: tarNumber(slab, entry, 12), length: tarNumber(slab, entry + 12, 12) });
  }
}

/** The map of formats 0.0 and 0.1: `offset,length,offset,length`. */
export function parseSparseMap(map: string): SparseRegion[] {
  return regionsOf(map === '' ? [] : map.split(','));
}

/**
 * Reads the decimal lines of format 1.0's map, block by block, each number ended by a newline and the last block
 * padded. `nextBlock` gives the body's blocks.
 */
export function readSparseMap1(nextBlock: () => Buffer): SparseRegion[] {
  let text = '';
  let lines = 0;
  let wanted = 1;
  let countKnown = false;
  while (lines < wanted) {
    const block = nextBlock();
    for (const byte of block) if (byte === 0x0a) lines++;
    text += block.toString('latin1');
    if (!countKnown && lines > 0) {
      wanted = 1 + 2 * decimal(text.slice(0, text.indexOf('\n')));
      countKnown = true;
    }
  }
  return regionsOf(text.split('\n').slice(1, wanted));
}

function regionsOf(numbers: string[]): SparseRegion[] {
  if (numbers.length % 2 !== 0) throw invalidTar('a sparse map has an offset without a length');
  const regions: SparseRegion[] = [];
  for (let i = 0; i < numbers.length; i += 2) {
    regions.push({ offset: decimal(numbers[i] as string), length: decimal(numbers[i + 1] as string) });
  }
  return regions;
}

function decimal(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw invalidTar('a sparse map has a number that is not one');
  return value;
}

/**
 * `regions` without the empty ones. Throws LAYER_INVALID unless they are in order, apart, inside the file's `size`
 * and together exactly the `stored` bytes of the body.
 */
export function checkedRegions(regions: SparseRegion[], size: number, stored: number): SparseRegion[] {
  if (size < 0) throw invalidTar('a sparse file has a negative size');
  let end = 0;
  let total = 0;
  for (const { offset, length } of regions) {
    if (offset < end || length < 0 || offset + length > size) throw invalidTar('a sparse map is impossible');
    end = offset + length;
    total += length;
  }
  if (total !== stored) throw invalidTar('a sparse map does not fit its body');
  return regions.filter(({ length }) => length > 0);
}

/** Blocks a body of `size` bytes fills. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
