// What each layer's files weigh, and what of it is hidden.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLayerFiles } from '../../src/rootfs/layer-files.ts';
import { writeLayers } from '../support/layers.ts';
import { buildTarGz, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-layer-files-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const of = (name: string, bytes: number): Member => file(name, 'x'.repeat(bytes));
const report = (...layers: Array<Member[] | Buffer>) => readLayerFiles(writeLayers(dir, layers));

test('replaced, deleted, hidden with its directory: wasted in the layer that wrote it', async () => {
  const { layers, wasted, paths } = await report(
    [directory('var'), of('var/cache', 100), of('var/log', 20), of('kept', 7), of('old', 3)],
    [of('var/cache', 50), of('more', 1)],
    buildTarGz([of('var/.wh.cache', 0), of('old', 4)]),
    [of('.wh.var', 0)],
  );
  expect(layers).toEqual([
    { files: 4, bytes: 130, wasted: { files: 3, bytes: 123 } },
    { files: 2, bytes: 51, wasted: { files: 1, bytes: 50 } },
    { files: 1, bytes: 4, wasted: { files: 0, bytes: 0 } },
    { files: 0, bytes: 0, wasted: { files: 0, bytes: 0 } },
  ]);
  expect(wasted).toEqual({ files: 4, bytes: 173 });
  expect(paths).toEqual([
    { path: '/var/cache', files: 2, bytes: 150 },
    { path: '/var/log', files: 1, bytes: 20 },
    { path: '/old', files: 1, bytes: 3 },
  ]);
});

test('a file is there as long as one of its names is, wherever a symlink put it', async () => {
  const { wasted } = await report(
    [of('a', 10), hardlink('b', 'a'), directory('real'), symlink('s', 'real')],
    [of('.wh.a', 0), of('s/inside', 5)],
  );
  expect(wasted).toEqual({ files: 0, bytes: 0 });
});

test('the last name gone, a directory in its place, an opaque directory', async () => {
  const { paths } = await report(
    [of('a', 10), hardlink('b', 'a'), of('d/x', 5), of('f', 2)],
    [of('.wh.a', 0), of('d/.wh..wh..opq', 0), directory('f'), of('f/new', 1)],
    [file('b', 'other')],
  );
  expect(paths.map(({ path, bytes }) => [path, bytes])).toEqual([
    ['/a', 10],
    ['/d/x', 5],
    ['/f', 2],
  ]);
});

test('an image of which nothing is wasted', async () => {
  expect(await report([of('a', 10)], [of('b', 20)])).toMatchObject({
    efficiency: 1,
    wasted: { files: 0, bytes: 0 },
    paths: [],
    stats: [{ files: 1 }, { files: 1 }],
  });
});
