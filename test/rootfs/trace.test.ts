// What each layer did to one path.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tracePath } from '../../src/rootfs/trace.ts';
import { writeLayers } from '../support/layers.ts';
import { directory, file, type Member, symlink } from '../support/tar-builder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-trace-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const stack = (...layers: Member[][]) => writeLayers(dir, layers);

const LAYERS: Member[][] = [
  [directory('etc'), file('etc/motd', 'hello'), symlink('conf', 'etc')],
  [file('other', 'x')],
  [file('etc/motd', 'hello again')],
  [directory('etc', { mode: 0o700 })],
  [file('etc/.wh.motd')],
];

test('added, replaced, deleted, each by its layer', async () => {
  const { steps } = await tracePath(stack(...LAYERS), '/etc/motd');
  expect(steps).toEqual([
    { layer: 0, change: 'added', kind: 'file', size: 5, target: undefined },
    { layer: 2, change: 'replaced', kind: 'file', size: 11, target: undefined },
    { layer: 4, change: 'deleted', kind: 'file', size: 11, target: undefined },
  ]);
});

test('through a symlink, and a directory that was only described again', async () => {
  expect(await tracePath(stack(...LAYERS.slice(0, 3)), 'conf/motd')).toMatchObject({
    path: '/etc/motd',
    steps: [{ layer: 0 }, { layer: 2 }],
  });
  const { steps } = await tracePath(stack(...LAYERS), '/etc');
  expect(steps.map(({ layer, change }) => [layer, change])).toEqual([
    [0, 'added'],
    [3, 'changed'],
  ]);
});

test('a symlink is shown as what it is', async () => {
  const { steps } = await tracePath(stack(...LAYERS), '/conf');
  expect(steps).toEqual([{ layer: 0, change: 'added', kind: 'symlink', size: 0, target: 'etc' }]);
});

test('what was never there', async () => {
  await expect(tracePath(stack(...LAYERS), '/etc/mtod')).rejects.toMatchObject({ code: 'PATH_NOT_FOUND' });
});
