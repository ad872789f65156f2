// Places in a compressed layer from which inflating can go on, so that one file is read without all that lies before it.
//
// zlib could do this with inflatePrime and a dictionary, which Node does not have; but it can be asked to stop where a
// deflate block begins (Z_BLOCK). Node hides at which bit of its byte that is, so the eight are tried and compared with
// what really came out. To go on from there, the inflater is fed a beginning made up for it: the last 32 KiB as a stored
// block, whose output is thrown away, then empty blocks that end at the right bit (RFC 1951, 3.2).
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { OciError } from '../errors.ts';
import { inflateSteps, type ZlibSteps } from './zlib-steps.ts';

export interface Checkpoint {
  /** Inflated bytes before it. */
  output: number;
  /** The byte of the blob it is in. */
  input: number;
  /** The first bit of that byte that counts, 0 to 7; 8 for the start of a gzip member or zstd frame. */
  bit: number;
  /** The inflated bytes before it, at most 32 KiB, compressed; empty at the start of a member or frame. */
  window: Uint8Array;
}

/** `bit` of a checkpoint where nothing of what came before is needed. */
export const FRESH = 8;

/** Inflated bytes between two checkpoints: a file is at most this much inflating away, 10 ms. */
export const EVERY = 8 * 1024 * 1024;

/** What deflate may refer back to. */
export const WINDOW = 32 * 1024;

/** Compressed bytes a place is tried with. */
const SAMPLE = 16 * 1024;
/** Inflated bytes that must agree, when there are so many. */
const ENOUGH = 2048;

/** Finds checkpoints while a deflate stream is inflated. */
export interface CheckpointFinder {
  /** True when a checkpoint is wanted at the next block that begins at or after this many inflated bytes. */
  wanted(output: number): boolean;
  /** A place where nothing of what came before is needed. */
  fresh(output: number, input: number): void;
  /**
   * A block begins: `input[from]` is the first byte not read, `at` its place in the blob. `slab` holds the inflated
   * bytes up to `end`, which are `output` in all. Remembered until `settle`.
   */
  block(input: Buffer, from: number, to: number, at: number, slab: Buffer, end: number, output: number): void;
  /** The slab is filled up to `end`: enough to tell at which bit the remembered block begins. */
  settle(slab: Buffer, end: number): void;
  close(): void;
}

/** A block that begins somewhere in the last byte of `sample[0]` or behind it. */
interface Candidate {
  output: number;
  /** Of the byte behind the last one read. */
  input: number;
  /** That last byte, and what follows it. */
  sample: Buffer;
  window: Buffer;
  /** Where in the slab its output begins. */
  start: number;
}

export function createCheckpointFinder(found: (checkpoint: Checkpoint) => void): CheckpointFinder {
  let trial: ZlibSteps | undefined;
  let last = 0;
  let pending: Candidate | undefined;
  const scratch = Buffer.allocUnsafeSlow(WINDOW + 256 * 1024);

  /** True when the stream that begins at this bit gives what the slab holds. */
  function fits({ sample, window }: Candidate, bit: number, expected: Buffer): boolean {
    trial ??= inflateSteps();
    const input =
      bit === 0
        ? [resumePrefix(window, 0, 0), sample.subarray(1)]
        : [resumePrefix(window, bit, sample[0] as number), sample.subarray(1)];
    trial.reset();
    let end = 0;
    try {
      for (const part of input) {
        trial.step(part, 0, part.length, scratch, end, false);
        end += trial.produced;
      }
    } catch {
      // Not a block: the wrong bit, or what follows the stream's end.
      return false;
    }
    const length = Math.min(end - window.length, expected.length);
    return (
      length >= Math.min(ENOUGH, expected.length) &&
      expected.compare(scratch, window.length, window.length + length, 0, length) === 0
    );
  }

  return {
    wanted: (output) => pending === undefined && output - last >= EVERY,
    fresh(output, input) {
      if (output === 0 || output - last < EVERY) return;
      last = output;
      found({ output, input, bit: FRESH, window: new Uint8Array() });
    },
    block(input, from, to, at, slab, end, output) {
      // Too close to an edge of what is in memory: the next block will do.
      if (from === 0 || to - from < 1024 || end < WINDOW || slab.length - end < ENOUGH) return;
      const sample = Buffer.from(input.subarray(from - 1, Math.min(to, from + SAMPLE)));
      pending = {
        output,
        input: at,
        sample,
        window: Buffer.from(slab.subarray(end - WINDOW, end)),
        start: end,
      };
    },
    settle(slab, end) {
      if (pending === undefined) return;
      const candidate = pending;
      pending = undefined;
      const expected = slab.subarray(candidate.start, end);
      if (expected.length < ENOUGH) return;
      const meant = theOnlyBit(candidate, (bit) => fits(candidate, bit, expected));
      if (meant === undefined) return;
      last = candidate.output;
      const { output, input } = candidate;
      const window = zstdCompressSync(candidate.window, {
        params: { [constants.ZSTD_c_compressionLevel]: 1 },
      });
      found({ output, input: meant === 0 ? input : input - 1, bit: meant, window });
    },
    close: () => trial?.close(),
  };
}

/**
 * The bit at which a block can begin, if there is one meaning of it only: equal output is no proof, and whoever made
 * the layer may want two. The last block of a stream is none to go on from; that it could be one counts as a meaning.
 */
function theOnlyBit({ sample }: Candidate, fits: (bit: number) => boolean): number | undefined {
  const bits = sample.readUIntLE(0, 3);
  const meanings = new Map<string, { bit: number; isLast: boolean }>();
  for (let bit = 0; bit < 8; bit++) {
    if (!fits(bit)) continue;
    const at = bit === 0 ? 8 : bit;
    const isLast = ((bits >> at) & 1) === 1;
    const isStored = ((bits >> (at + 1)) & 3) === 0;
    // What lies between a stored block's first bits and its length, in the next whole byte, is not looked at.
    const meaning = isStored ? `stored ${isLast} ${Math.ceil((at + 3) / 8)}` : `codes ${at}`;
    if (!meanings.has(meaning)) meanings.set(meaning, { bit, isLast });
  }
  const [only, another] = meanings.values();
  return only === undefined || another !== undefined || only.isLast ? undefined : only.bit;
}

/** The inflated bytes before a checkpoint. Throws LAYER_INVALID when they are damaged. */
export function windowOf({ window }: Checkpoint): Buffer {
  if (window.length === 0) return Buffer.alloc(0);
  try {
    return zstdDecompressSync(window, { maxOutputLength: WINDOW });
  } catch (error) {
    throw new OciError('LAYER_INVALID', "the layer's index is damaged", { cause: error });
  }
}

/**
 * A beginning for the deflate stream that goes on at `bit` of `first`: it gives `window`, and ends with the bits of
 * `first` that count; for bit 0 it ends before that byte.
 */
export function resumePrefix(window: Uint8Array, bit: number, first: number): Buffer {
  const stored = Buffer.allocUnsafe(5);
  stored[0] = 0;
  stored.writeUInt16LE(window.length, 1);
  stored.writeUInt16LE(~window.length & 0xffff, 3);
  const parts: Uint8Array[] = window.length === 0 ? [] : [stored, window];
  if (bit !== 0) {
    const padding = PADDINGS[bit] as Buffer;
    const end = Buffer.from(padding);
    const keep = 0xff << bit;
    end[end.length - 1] = (padding[padding.length - 1] as number) | (first & keep);
    parts.push(end);
  }
  return Buffer.concat(parts);
}

/** Empty blocks, by how many bits of their last byte they take. */
const PADDINGS = Array.from({ length: 8 }, (_, bit) => paddingFor(bit));

function paddingFor(bit: number): Buffer {
  const bits: number[] = [];
  const put = (value: number, count: number): void => {
    for (let i = 0; i < count; i++) bits.push((value >> i) & 1);
  };
  // A block of fixed codes has 10 bits. With dynamic codes, described as long as can be, it has 93: an odd number.
  if (bit % 2 === 1) {
    put(0b100, 3); // not the last; dynamic codes
    put(0, 5); // 257 literal and length codes
    put(0, 5); // 1 distance code
    put(15, 4); // 19 code lengths, in the order 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14 1 15
    for (let i = 0; i < 19; i++) put(i === 2 || i === 17 ? 1 : 0, 3); // 18 and 1 have a bit each
    put(1, 1); // 18: zeros,
    put(127, 7); // 138 of them
    put(1, 1); // 18:
    put(107, 7); // 118 of them
    put(0, 1); // 1: the end of the block has a code of one bit
    put(0, 1); // 1: so has the only distance
    put(0, 1); // the end of the block
  }
  while (bits.length % 8 !== bit) {
    put(0b010, 3); // not the last; fixed codes
    put(0, 7); // the end of the block
  }
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
  bits.forEach((value, i) => {
    bytes[i >> 3] = (bytes[i >> 3] as number) | (value << (i & 7));
  });
  return bytes;
}
