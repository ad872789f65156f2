// A stored image is answered from what reading its layers once found out, and a file is read from the middle of one.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import { exportTree } from '../../src/rootfs/export.ts';
import { indexFile } from '../../src/rootfs/layer-index.ts';
import { createCheckpointList } from '../../src/rootfs/layer-index-checkpoints.ts';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { type ListedNode, listTree, lookUp, readFile } from '../../src/rootfs/look.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import { tracePath } from '../../src/rootfs/trace.ts';
import type { Tree } from '../../src/rootfs/tree.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { layerAt } from '../support/layers.ts';
import { buildTar, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'layer-index-'));
});
afterAll(() => removeTree(work));

// More than two checkpoints' worth, half of it noise.
const bodies = Array.from({ length: 24 }, (_, i) =>
  Buffer.concat([randomBytes(500_000), Buffer.alloc(500_000 + i, `line ${i}\n`)]),
);
const members: Member[] = [
  directory('d/'),
  ...bodies.map((body, i) => file(`d/${i}`, body, { pax: { comment: 'x'.repeat(600) } })),
  file('caf\u00e9', 'coffee', { pax: { 'SCHILY.xattr.user.a': Buffer.from([0, 255, 10]) } }),
  symlink('to', 'd/3'),
  hardlink('hard', 'd/4'),
  { name: 'null', type: '3', major: 1, minor: 3 },
];
const tar = buildTar(members);
const half = 12_000_000;

/** A fresh copy of a layer, and where its index will be. */
function layerOf(name: string, blob: Buffer): LayerSource & { index: { path: string } } {
  const path = join(work, name);
  writeFileSync(path, blob);
  const layer = layerAt(path, blob);
  return { ...layer, diffId: digestOf(tar), index: indexFile(`${path}.idx`, layer.descriptor.digest) };
}

/** The same layer as another process sees it. */
function again(layer: LayerSource & { index: { path: string } }): LayerSource & { index: { path: string } } {
  return { ...layer, index: indexFile(layer.index.path, layer.descriptor.digest) };
}

/** One whose bytes are gone: what is still answered, is answered by its index. */
function withoutBlob(layer: LayerSource & { index: { path: string } }): LayerSource {
  return { ...again(layer), location: { ...layer.location, path: '/nonexistent' } };
}

/** All that is in a tree, which makes its nodes only when they are asked for. */
function everything(tree: Tree): ListedNode[] {
  return [lookUp(tree, '/'), ...listTree(tree, '/', { recursive: true })];
}

const BLOBS: [string, () => Buffer][] = [
  ['gzip-1', () => gzipSync(tar, { level: 1 })],
  ['gzip-members', () => Buffer.concat([gzipSync(tar.subarray(0, half)), gzipSync(tar.subarray(half))])],
  [
    'zstd-frames',
    () => Buffer.concat([zstdCompressSync(tar.subarray(0, half)), zstdCompressSync(tar.subarray(half))]),
  ],
  ['none', () => tar],
];

describe('the index of a layer', () => {
  it.each(BLOBS)(
    'of %s: the same tree without the blob, and every file from its nearest checkpoint',
    async (name, blob) => {
      const layer = layerOf(name, blob());
      const read = await readTree([layer]);
      const answered = await readTree([withoutBlob(layer)]);
      expect(answered.layers).toEqual(read.layers);
      expect(everything(answered.tree)).toEqual(everything(read.tree));
      // Every member but the pax records, and the root.
      expect(everything(read.tree)).toHaveLength(members.length + 1);
      if (name !== 'none') expect(again(layer).index?.read()?.checkpoints.length).toBeGreaterThan(0);

      const later = again(layer);
      for (const [i, body] of [...bodies.entries()].reverse()) {
        expect((await buffer(readFile(read.tree, [later], `d/${i}`))).equals(body), `d/${i}`).toBe(true);
      }
      const { index: _, ...plain } = layer;
      const whole = await buffer(exportTree(read.tree, [plain]));
      expect((await buffer(exportTree(read.tree, [later]))).equals(whole)).toBe(true);
      expect((await tracePath([withoutBlob(layer)], 'hard')).steps).toMatchObject([{ change: 'added' }]);
    },
  );

  it('begins a file with what lies before it damaged: that is not read', async () => {
    const blob = gzipSync(tar, { level: 1 });
    const layer = layerOf('damaged-before', blob);
    const { tree } = await readTree([layer]);
    blob.fill(0x55, 1000, 2000);
    writeFileSync(layer.location.path, blob);
    const last = bodies.length - 1;
    const later = again(layer);
    expect((await buffer(readFile(tree, [later], `d/${last}`))).equals(bodies[last] as Buffer)).toBe(true);
  });

  it('is left by an unpack, and is not made again by the next', async () => {
    const layer = layerOf('unpacked', gzipSync(tar, { level: 1 }));
    await unpack([layer], join(work, 'rootfs'));
    expect(existsSync(layer.index.path)).toBe(true);
    expect((await readTree([withoutBlob(layer)])).layers[0]?.entries).toBe(members.length);
  });

  it('damaged anywhere, cut short or of another layer is as good as none, and made again', async () => {
    const small = buildTar(
      members.filter(({ name, content }) => name !== 'hard' && (content?.length ?? 0) < 100),
    );
    const path = join(work, 'small');
    writeFileSync(path, small);
    const source = layerAt(path, small);
    const kept = `${path}.idx`;
    const fresh = (): LayerSource => ({ ...source, index: indexFile(kept, source.descriptor.digest) });
    const { tree } = await readTree([fresh()]);
    const good = readFileSync(kept);
    for (let at = 0; at < good.length; at += 7) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] as number) ^ 0x10;
      writeFileSync(kept, bad);
      expect(fresh().index?.read(), `byte ${at}`).toBeUndefined();
    }
    for (const length of [0, 3, 15, 16, 100, good.length - 1]) {
      writeFileSync(kept, good);
      truncateSync(kept, length);
      expect(fresh().index?.read(), `${length} bytes`).toBeUndefined();
    }
    expect(everything((await readTree([fresh()])).tree)).toEqual(everything(tree));
    expect(readFileSync(kept).equals(good)).toBe(true);
    expect(indexFile(kept, digestOf('another')).read()).toBeUndefined();
  });

  it('does not get a layer past the limits, nor past a diff ID that is not its own', async () => {
    const layer = layerOf('limits', tar);
    await readTree([layer]);
    for (const limits of [{ entries: 5 }, { bytes: 1000 }]) {
      await expect(readTree([again(layer)], { limits })).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    }
    const bytes = tar.length + 1;
    await expect(readTree([again(layer), again(layer)], { limits: { bytes } })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
    });
    await expect(readTree([{ ...again(layer), diffId: digestOf('another') }])).rejects.toMatchObject({
      code: 'DIFF_ID_MISMATCH',
    });
  });
});

it('keeps a bounded number of checkpoints, spread over the layer', () => {
  const list = createCheckpointList(8);
  for (let output = 0; output < 1000; output++)
    list.add({ output, input: output, bit: 8, window: Buffer.alloc(0) });
  const outputs = list.list().map(({ output }) => output);
  expect(outputs.length).toBeLessThanOrEqual(8);
  expect(outputs).toEqual(outputs.map((_, i) => i * (outputs[1] as number)));
  expect(outputs.at(-1)).toBeGreaterThan(800);
});
