// The efficiency of stacks of layers, counted by hand after dive's filetree/efficiency.go.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readLayerFiles } from '../../src/rootfs/layer-files.ts';
import { writeLayers } from '../support/layers.ts';
import { directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-efficiency-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const of = (name: string, bytes: number): Member => file(name, 'x'.repeat(bytes));

const CASES: Array<[what: string, layers: Member[][], least: number, sum: number]> = [
  ['nothing at all', [[]], 1, 1],
  ['empty files', [[of('a', 0)], [of('a', 0)]], 1, 1],
  ['one layer', [[directory('etc'), of('etc/a', 10), of('b', 5)]], 15, 15],
  ['a file written twice: the smaller counts', [[of('a', 20)], [of('a', 50)]], 20, 70],
  ['written three times', [[of('a', 20)], [of('a', 50)], [of('a', 10), of('b', 20)]], 30, 100],
  ['a file deleted weighs nothing in the end', [[of('a', 20), of('b', 5)], [of('.wh.a', 0)]], 5, 25],
  [
    "dive's own test: a directory nobody declared is deleted",
    [
      [of('etc/nginx/conf', 200), of('etc/nginx/public', 300)],
      [of('etc/nginx/conf', 500), of('etc/athing', 1000)],
      [of('etc/.wh.nginx', 0)],
    ],
    // 200 + 300 + 1000 + 0, over 700 + 300 + 1000 + 0.
    1500,
    2000,
  ],
  [
    'a declared directory deleted weighs what it held, on both sides',
    [
      [directory('d'), of('d/a', 30), of('d/b', 10)],
      [of('d/a', 20), directory('d')],
      [of('.wh.d', 0), of('c', 10)],
    ],
    // a 20, b 10, c 10, d 30 (a as last written and b), over a 50, b 10, c 10, d 30.
    70,
    100,
  ],
  [
    'a directory above that only implies it takes its being declared away',
    [[directory('d'), of('d/a', 30)], [of('d/b', 10)], [of('.wh.d', 0)]],
    40,
    40,
  ],
  [
    'and the opaque marker implies it, too',
    [[directory('d'), of('d/a', 30)], [of('d/.wh..wh..opq', 0)], [of('.wh.d', 0)]],
    30,
    30,
  ],
  [
    'what is deleted and was never there is no end',
    [[of('a', 10)], [of('.wh.nope', 0), of('z', 10), of('a', 20)]],
    20,
    40,
  ],
  [
    'an opaque directory hides without weighing',
    [
      [directory('d'), of('d/a', 30)],
      [directory('d'), of('d/.wh..wh..opq', 0), of('d/b', 10)],
    ],
    40,
    40,
  ],
  ['deleted, then there again', [[of('a', 10)], [of('.wh.a', 0)], [of('a', 30)]], 0, 40],
  ['the same name twice in one layer: the last counts', [[of('a', 10), of('a', 40)]], 40, 40],
  [
    'links weigh nothing, and names are taken as written',
    [[of('real/a', 10), hardlink('b', 'real/a'), symlink('s', 'real')], [of('s/a', 30)]],
    40,
    40,
  ],
  ['a link in the place of a file', [[of('a', 10), of('b', 10)], [symlink('a', 'b')]], 10, 20],
];

test.each(CASES)('%s', async (_, layers, least, sum) => {
  expect((await readLayerFiles(writeLayers(dir, layers))).efficiency).toBe(least / sum);
});
