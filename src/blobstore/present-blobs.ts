// Which blobs a store has, found out by one listing of its folders: a stat for each of 60,000 takes longer than all the rest
// of a question about all images, and so do sets of their names, whose hashes are made of all 64 digits.
import { join } from 'node:path';
import type { Digest } from '../reference/digest.ts';
import { names, unsortedNames } from './blob-files.ts';
import type { StorePaths } from './paths.ts';

export interface PresentBlobs {
  /** Blobs are numbered from 0 to this. Some are names that are no digests. */
  count: number;
  /** -1 when there is no such blob. */
  numberOf(digest: Digest): number;
  has(digest: Digest): boolean;
}

export function presentBlobs(paths: StorePaths): PresentBlobs {
  const finders = new Map<string, Finder>();
  let count = 0;
  for (const algorithm of names(paths.blobs)) {
    const found = unsortedNames(join(paths.blobs, algorithm));
    finders.set(algorithm, createFinder(found, count));
    count += found.length;
  }
  function numberOf(digest: Digest): number {
    const colon = digest.indexOf(':');
    return finders.get(digest.slice(0, colon))?.(digest.slice(colon + 1)) ?? -1;
  }
  return { count, numberOf, has: (digest) => numberOf(digest) !== -1 };
}

type Finder = (hex: string) => number;

/** Finds one of `found` by its first digits, which are as good as random; `first` is the number of the first of them. */
function createFinder(found: readonly string[], first: number): Finder {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(found.length * 2 + 2)));
  const mask = slots.length - 1;
  found.forEach((name, at) => {
    let slot = startOf(name) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = at + 1;
  });
  return (hex) => {
    for (let slot = startOf(hex) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const at = (slots[slot] as number) - 1;
      if (found[at] === hex) return first + at;
    }
    return -1;
  };
}

/** The number that eight hexadecimal digits are. */
function startOf(hex: string): number {
  let start = 0;
  for (let at = 0; at < 8; at++) {
    const code = hex.charCodeAt(at);
    start = (start << 4) | ((code + (code >>> 6) * 9) & 15);
  }
  return start;
}
