// Inflating goes on from every checkpoint with exactly the bytes that follow, whatever compressor made the stream.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, gzipSync, inflateRawSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import {
  type Checkpoint,
  createCheckpointFinder,
  EVERY,
  FRESH,
  resumePrefix,
} from '../../src/layer/checkpoints.ts';
import { inflate, type SlabReader } from '../../src/layer/inflate.ts';
import { bytesSource } from '../support/bytes-source.ts';
import { hasTools } from '../support/tools.ts';

/** Half text, half noise, with runs of zeros: blocks of every type. */
function content(size: number): Buffer {
  const words = Buffer.from('the quick brown fox jumps over the lazy dog, and so does every other one. ');
  const parts: Buffer[] = [];
  for (let total = 0, i = 0; total < size; i++) {
    const part =
      i % 3 === 0 ? randomBytes(20_000) : i % 3 === 1 ? Buffer.alloc(30_000 + i, words) : Buffer.alloc(9000);
    parts.push(part);
    total += part.length;
  }
  return Buffer.concat(parts).subarray(0, size);
}

function all(reader: SlabReader): Buffer {
  const slabs: Buffer[] = [];
  try {
    for (let slab = reader.next(); slab !== undefined; slab = reader.next()) slabs.push(Buffer.from(slab));
    return Buffer.concat(slabs);
  } finally {
    reader.close();
  }
}

function checkpointsOf(blob: Buffer, expected: Buffer, digested = false): Checkpoint[] {
  const checkpoints: Checkpoint[] = [];
  const bytes = all(
    inflate(bytesSource(blob), { digested, onCheckpoint: (checkpoint) => checkpoints.push(checkpoint) }),
  );
  expect(bytes.equals(expected)).toBe(true);
  return checkpoints;
}

/** Resumes at every checkpoint, there and a little further on. */
function expectResumable(blob: Buffer, expected: Buffer, compression: 'gzip' | 'zstd'): Checkpoint[] {
  const checkpoints = checkpointsOf(blob, expected);
  for (const checkpoint of checkpoints) {
    for (const further of [0, 1, 700_000]) {
      const output = checkpoint.output + further;
      const reader = inflate(bytesSource(blob.subarray(checkpoint.input)), {
        resume: { compression, checkpoint, output },
      });
      expect(all(reader).equals(expected.subarray(output)), `${checkpoint.output} + ${further}`).toBe(true);
    }
  }
  return checkpoints;
}

const SIZE = 5 * EVERY;

test.each([0, 1, 5, 6, 9])('gzip at level %i', (level) => {
  const bytes = content(SIZE);
  expect(expectResumable(gzipSync(bytes, { level }), bytes, 'gzip').length).toBeGreaterThanOrEqual(3);
});

test('gzip that only ran lengths together, and only fixed codes', () => {
  const bytes = content(SIZE);
  for (const strategy of [constants.Z_RLE, constants.Z_FIXED, constants.Z_HUFFMAN_ONLY]) {
    expect(expectResumable(gzipSync(bytes, { strategy }), bytes, 'gzip').length).toBeGreaterThanOrEqual(3);
  }
});

test('every bit a block can begin at is met', () => {
  const bits = new Set<number>();
  for (let round = 0; round < 20 && bits.size < 8; round++) {
    const bytes = content(SIZE);
    for (const { bit } of checkpointsOf(gzipSync(bytes), bytes)) bits.add(bit);
  }
  expect([...bits].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});

test('members begin anew: nothing of what came before is kept', () => {
  const bytes = content(SIZE);
  const members: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 1_000_000)
    members.push(gzipSync(bytes.subarray(at, at + 1_000_000)));
  const checkpoints = expectResumable(Buffer.concat(members), bytes, 'gzip');
  expect(checkpoints.some(({ bit }) => bit === FRESH)).toBe(true);
});

test('zstd frames are checkpoints; one frame has none', () => {
  const bytes = content(SIZE);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 3_000_000)
    frames.push(zstdCompressSync(bytes.subarray(at, at + 3_000_000)));
  expect(expectResumable(Buffer.concat(frames), bytes, 'zstd').length).toBeGreaterThanOrEqual(3);
  expect(checkpointsOf(zstdCompressSync(bytes), bytes)).toEqual([]);
});

test('zstd frames are the same checkpoints when their own checksums are left out', () => {
  const bytes = content(SIZE);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 3_000_000)
    frames.push(
      zstdCompressSync(bytes.subarray(at, at + 3_000_000), {
        params: { [constants.ZSTD_c_checksumFlag]: 1 },
      }),
    );
  const blob = Buffer.concat(frames);
  expect(checkpointsOf(blob, bytes, true)).toEqual(checkpointsOf(blob, bytes));
});

test.skipIf(!hasTools('pigz'))('pigz', () => {
  const bytes = content(SIZE);
  const blob = execFileSync('pigz', ['-c', '-p', '2'], { input: bytes, maxBuffer: 2 * SIZE });
  expect(expectResumable(blob, bytes, 'gzip').length).toBeGreaterThanOrEqual(3);
});

test('a place where two bits could be meant is passed over', () => {
  const before = randomBytes(64 * 1024);
  const stored = randomBytes(40_000);
  const header = Buffer.alloc(4);
  header.writeUInt16LE(stored.length, 0);
  header.writeUInt16LE(~stored.length & 0xffff, 2);
  const slab = Buffer.concat([before, stored, Buffer.alloc(1000)]);
  const bitsFoundAfter = (lastByte: number): number[] => {
    const bits: number[] = [];
    const finder = createCheckpointFinder(({ bit }) => bits.push(bit));
    const input = Buffer.concat([Buffer.from([lastByte]), header, stored]);
    finder.block(input, 1, input.length, 1, slab, before.length, EVERY);
    finder.settle(slab, before.length + stored.length);
    finder.close();
    return bits;
  };
  // A stored block that begins at any bit from 1 to 5: all of them mean the same.
  expect(bitsFoundAfter(0)).toEqual([1]);
  // At bit 1 the same block, but the last one: who goes on from there stops too early.
  expect(bitsFoundAfter(0b10)).toEqual([]);
});

test('the made-up beginning gives the window and leaves the inflater at the bit asked for', () => {
  const window = randomBytes(32 * 1024);
  for (let bit = 1; bit < 8; bit++) {
    const next = deflateRawSync(Buffer.from('what follows'), { level: 9 });
    // The same stream, moved up by so many bits.
    const moved = Buffer.alloc(next.length + 1);
    next.forEach((byte, i) => {
      moved.writeUInt16LE(moved.readUInt8(i) | (byte << bit), i);
    });
    const stream = Buffer.concat([resumePrefix(window, bit, moved[0] as number), moved.subarray(1)]);
    expect(inflateRawSync(stream).subarray(window.length).toString(), `bit ${bit}`).toBe('what follows');
  }
});
