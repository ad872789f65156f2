import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { inflate } from '../../src/layer/inflate.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { bytesSource } from '../support/bytes-source.ts';
import { corpus, corpusJson } from '../support/corpora.ts';

/** Everything a blob inflates to, and what passed by on the way. */
function inflated(
  blob: Uint8Array,
  pieceSize?: number,
): { bytes: Buffer; seen: number; compression: string } {
  let seen = 0;
  const reader = inflate(bytesSource(blob, pieceSize), {
    onInput: (chunk) => {
      seen += chunk.length;
    },
  });
  const slabs: Buffer[] = [];
  try {
    for (let slab = reader.next(); slab !== undefined; slab = reader.next()) slabs.push(Buffer.from(slab));
    for (const slab of slabs.slice(0, -1)) expect(slab.length).toBe(512 * 1024);
    return { bytes: Buffer.concat(slabs), seen, compression: reader.compression };
  } finally {
    reader.close();
  }
}

const LAYER_INVALID = expect.toSatisfy(
  (error: unknown) => error instanceof OciError && error.code === 'LAYER_INVALID',
);
// Bigger than a slab and its buffers, half of it incompressible.
const content = Buffer.concat([randomBytes(900_000), Buffer.alloc(900_000, 'layer '), randomBytes(300_000)]);

describe('inflating a layer', () => {
  it.each([
    ['gzip', gzipSync(content)],
    ['zstd', zstdCompressSync(content)],
    ['none', content],
  ])('%s, in pieces of any size', (compression, blob) => {
    for (const pieceSize of [1 << 20, 65_537, 4093]) {
      const result = inflated(blob, pieceSize);
      expect(result.compression).toBe(compression);
      expect(result.bytes.equals(content)).toBe(true);
      expect(result.seen).toBe(blob.length);
    }
  });

  it('reads every header field a gzip member may have, a byte at a time', () => {
    const plain = gzipSync('hello');
    const extra = Buffer.concat([
      Buffer.from([3, 0]),
      Buffer.from('abc'),
      Buffer.from('name\0'),
      Buffer.from('why\0'),
      Buffer.from([0, 0]),
    ]);
    const flagged = Buffer.concat([plain.subarray(0, 10), extra, plain.subarray(10)]);
    flagged[3] = 0x1e;
    expect(inflated(flagged, 1).bytes.toString()).toBe('hello');
  });

  it('reads gzip members and zstd frames one after the other', () => {
    const [one, two] = [content.subarray(0, 1_048_576), content.subarray(1_048_576)];
    expect(inflated(Buffer.concat([gzipSync(one), gzipSync(two)]), 8191).bytes.equals(content)).toBe(true);
    const skippable = Buffer.from('5a2a4d1804000000aabbccdd', 'hex');
    const frames = Buffer.concat([
      skippable,
      zstdCompressSync(one),
      skippable,
      zstdCompressSync(two),
      skippable,
    ]);
    expect(inflated(frames, 8191).bytes.equals(content)).toBe(true);
  });

  it.each([
    ['gzip', gzipSync('hello')],
    ['zstd', zstdCompressSync(Buffer.from('hello'))],
  ])('ignores NULs and junk behind %s, but reads them (umoci#360)', (_, blob) => {
    for (const behind of [Buffer.alloc(700_000), Buffer.from('junk junk junk')]) {
      const result = inflated(Buffer.concat([blob, behind]));
      expect(result.bytes.toString()).toBe('hello');
      expect(result.seen).toBe(blob.length + behind.length);
    }
  });

  it.each([
    ['gzip', gzipSync(content)],
    ['zstd', zstdCompressSync(content)],
  ])('refuses %s that is cut short, wherever', (_, blob) => {
    for (const left of [5, 11, 1000, blob.length >> 1, blob.length - 9, blob.length - 4, blob.length - 1]) {
      expect(() => inflated(blob.subarray(0, left)), `${left} bytes`).toThrow(LAYER_INVALID);
    }
  });

  it('refuses a wrong checksum, a wrong length and damaged data', () => {
    const blob = gzipSync(content);
    for (const at of [blob.length - 8, blob.length - 4, blob.length >> 1, 2]) {
      const damaged = Buffer.from(blob);
      damaged[at] = (damaged[at] as number) ^ 0x55;
      expect(() => inflated(damaged), `byte ${at}`).toThrow(LAYER_INVALID);
    }
  });

  it('takes a blob too short to have a magic as it is', () => {
    expect(inflated(Buffer.alloc(0))).toEqual({ bytes: Buffer.alloc(0), seen: 0, compression: 'none' });
    expect(inflated(Buffer.from('abc')).bytes.toString()).toBe('abc');
  });
});

interface StreamCase {
  file: string;
  expect: { error: 'required' | 'allowed' | 'forbidden'; diffID?: string };
}

const folder = corpus('compress');
const cases = corpusJson<{ cases: StreamCase[] }>('compress/cases.json')?.cases ?? [];

describe.skipIf(folder === undefined)('compressed streams of the corpus', () => {
  it.each(cases.map((c) => [c.file, c] as const))('%s', (name, { expect: wanted }) => {
    const blob = readFileSync(join(folder as string, 'streams', name));
    if (wanted.error === 'required') expect(() => inflated(blob)).toThrow(LAYER_INVALID);
    else {
      const { bytes, seen } = inflated(blob);
      expect(seen).toBe(blob.length);
      if (wanted.diffID !== undefined) expect(digestOf(bytes)).toBe(wanted.diffID);
    }
  });
});
