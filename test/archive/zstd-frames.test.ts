// Frames are cut where they end, however the bytes come in.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutZstdFrames } from '../../src/archive/zstd-frames.ts';

async function cut(bytes: Buffer, pieces: number): Promise<Buffer[]> {
  async function* input(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += pieces) yield bytes.subarray(at, at + pieces);
  }
  const chunks: Buffer[] = [];
  for await (const chunk of cutZstdFrames(input())) chunks.push(chunk);
  return chunks;
}

const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

it('gives one chunk a frame', async () => {
  const contents = [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.alloc(1_000_000, 'ab'),
    Buffer.alloc(300, 7),
  ];
  const plain = contents.map((content) => zstdCompressSync(content));
  const summed = contents.map((content) =>
    zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
  );
  const frames = [skippable, ...plain, skippable, ...summed];
  expect(await cut(Buffer.concat(frames), Number.POSITIVE_INFINITY)).toEqual(frames);
});

it('lets nothing reach over a frame, whatever the pieces', async () => {
  const content = fc.uint8Array({ maxLength: 3000 });
  const pieces = fc.integer({ min: 1, max: 500 });
  await fc.assert(
    fc.asyncProperty(fc.array(content, { minLength: 1, maxLength: 4 }), pieces, async (contents, size) => {
      const frames = contents.map((bytes) => zstdCompressSync(bytes));
      const ends = frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, frame) => sum + frame.length, 0));
      const chunks = await cut(Buffer.concat(frames), size);
      expect(Buffer.concat(chunks).equals(Buffer.concat(frames))).toBe(true);
      let at = 0;
      const starts = chunks.map((chunk) => (at += chunk.length));
      expect(starts).toEqual(expect.arrayContaining(ends));
    }),
  );
});

it('passes what is no frame', async () => {
  const frame = zstdCompressSync('hello');
  const junk = Buffer.from('junk after the end');
  expect(await cut(Buffer.concat([frame, junk]), 1000)).toEqual([frame, junk]);
  expect(zstdDecompressSync(frame).toString()).toBe('hello');
});
