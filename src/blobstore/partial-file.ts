// What a partial file holds of its blob. Bytes that come in order make it as long as they are many. Where some came ahead of
// others, its length says nothing: a mark behind the blob's end says how many there are without a gap, so that a killed
// process leaves a file that the next one goes on with, and a longer file is never taken for more bytes.
import { fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import type { Descriptor } from '../manifest/descriptor.ts';

/** Tells a mark from bytes that are too many. */
const MAGIC = Buffer.from('ocitool+');
const MARK_BYTES = 16;
/** The mark does not lie across two of these: a kill in the middle of a write could tear it. */
const PAGE_BYTES = 4096;
/** Bytes by which the mark may lag behind. */
const STEP = 4 << 20;

/** The mark of one open file. */
export interface GapMark {
  /** Before anything is written ahead: the `held` first bytes are there without a gap. */
  set(held: number): void;
  /** There are `held` now. Costs nothing without a mark. */
  held(held: number): void;
  /** Leaves the `held` first bytes and no mark. Nothing happens without one. */
  cut(held: number): void;
  /** Everything is there. */
  remove(): void;
}

export function createGapMark(fd: number, { size }: Descriptor): GapMark {
  let told: number | undefined;

  function write(held: number): void {
    const mark = Buffer.alloc(MARK_BYTES);
    MAGIC.copy(mark);
    mark.writeBigUInt64BE(BigInt(held), MAGIC.length);
    writeAll(fd, mark, markAt(size));
    told = held;
  }

  function cut(held: number): void {
    if (told === undefined) return;
    ftruncateSync(fd, held);
    told = undefined;
  }

  return {
    set(held) {
      if (told === undefined) write(held);
    },
    held(held) {
      if (told !== undefined && held - told >= STEP) write(held);
    },
    cut,
    remove: () => cut(size),
  };
}

/** Bytes an earlier attempt left in order, and nothing else in the file afterwards; none when there are too many. */
export function heldBy(fd: number, descriptor: Descriptor): number {
  const { size } = fstatSync(fd);
  if (size <= descriptor.size) return size;
  const held = readMark(fd, descriptor) ?? 0;
  ftruncateSync(fd, held);
  return held;
}

function readMark(fd: number, { size }: Descriptor): number | undefined {
  const mark = Buffer.alloc(MARK_BYTES);
  const length = readSync(fd, mark, 0, MARK_BYTES, markAt(size));
  if (length !== MARK_BYTES || !mark.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const held = Number(mark.readBigUInt64BE(MAGIC.length));
  return held <= size ? held : undefined;
}

function markAt(size: number): number {
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}

/** A disk that fills up takes part of a chunk before it refuses the rest. */
export function writeAll(fd: number, chunk: Uint8Array, position: number): void {
  for (let done = 0; done < chunk.length; ) {
    done += writeSync(fd, chunk, done, chunk.length - done, position + done);
  }
}
