import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
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
  digested = false,
): { bytes: Buffer; seen: number; compression: string } {
  let seen = 0;
  const reader = inflate(bytesSource(blob, pieceSize), {
    digested,
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

/** A zstd frame with the checksum that the command line tool writes and Node by itself does not. */
const checksummed = (bytes: Uint8Array, params: Record<number, number> = {}): Buffer =>
  zstdCompressSync(bytes, { params: { [constants.ZSTD_c_checksumFlag]: 1, ...params } });

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

  it.each([
    ['gzip', gzipSync(content)],
    ['zstd', checksummed(content)],
  ])('leaves out the checksum of %s when a digest is checked anyway', (_, blob) => {
    const damaged = Buffer.from(blob);
    const at = blob.length - (blob[0] === 0x1f ? 8 : 4);
    damaged[at] = (damaged[at] as number) ^ 0x55;
    expect(() => inflated(damaged)).toThrow(LAYER_INVALID);
    expect(inflated(damaged, undefined, true).bytes.equals(content)).toBe(true);
  });

  it('leaves out the checksums of zstd frames of every form, in pieces of any size', () => {
    const forms = [
      checksummed(content),
      zstdCompressSync(content),
      Buffer.from('5f2a4d1800000000', 'hex'),
      checksummed(content.subarray(0, 100)),
      checksummed(Buffer.alloc(0)),
      checksummed(Buffer.alloc(3_000_000)),
      checksummed(content.subarray(0, 300), { [constants.ZSTD_c_contentSizeFlag]: 0 }),
      checksummed(content.subarray(0, 70_000)),
      checksummed(randomBytes(512 * 1024)),
      Buffer.from('5a2a4d1804000000aabbccdd', 'hex'),
      zstdCompressSync(content.subarray(0, 100)),
    ];
    const small = forms.filter(({ length }) => length < 1000);
    // Every small form behind every other.
    const pairs = small.flatMap((one) => small.flatMap((other) => [one, other]));
    for (const [blob, pieceSize] of [
      [Buffer.concat(small), 1],
      [Buffer.concat(pairs), 7],
      [Buffer.concat(forms), 4093],
      [Buffer.concat(forms), 1 << 20],
    ] as const) {
      const { bytes, seen } = inflated(blob, pieceSize, true);
      expect(bytes.equals(inflated(blob, pieceSize).bytes)).toBe(true);
      expect(seen).toBe(blob.length);
    }
  });

  it('refuses zstd cut short, wherever, and ignores junk behind it, without its checksum too', () => {
    const blob = checksummed(content);
    for (const less of [1, 2, 3, 4, 5, 9, blob.length >> 1, blob.length - 11, blob.length - 5]) {
      expect(() => inflated(blob.subarray(0, -less), 4093, true), `${less} bytes less`).toThrow(
        LAYER_INVALID,
      );
    }
    const junk = Buffer.from('junk junk junk');
    const { bytes, seen } = inflated(Buffer.concat([blob, junk]), 4093, true);
    expect(bytes.equals(content)).toBe(true);
    expect(seen).toBe(blob.length + junk.length);
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
      expect(inflated(blob, undefined, true).bytes.equals(bytes)).toBe(true);
    }
  });
});
