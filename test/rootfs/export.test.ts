import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exportTree } from '../../src/rootfs/export.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { snapshot } from '../support/disk-snapshot.ts';
import { writeLayers } from '../support/layers.ts';
import { buildTarGz, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'export-'));
});
afterEach(() => removeTree(work));

const long = `${'l'.repeat(90)}/${'n'.repeat(200)}`;
const stack = (): Array<Member[] | Buffer> => [
  [
    directory('etc/', { mode: 0o750, mtime: 1_500_000_000 }),
    file('etc/old', 'one', { mtime: 1_400_000_000 }),
    hardlink('etc/alias', 'etc/old'),
    file('gone', 'x'),
    symlink('etc/s', '../nowhere'),
    { name: 'fifo', type: '6' },
  ],
  buildTarGz([
    file('etc/old', 'two', { pax: { mtime: '1000000000.000000007' } }),
    file('.wh.gone'),
    file(long, 'y'.repeat(700_000), { mode: 0o4755 }),
    hardlink('a-first', long),
    hardlink('etc/t', 'etc/s'),
    file('big', 'hi', {
      pax: {
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.map': '300000,2',
        'GNU.sparse.size': '600000',
      },
    }),
  ]),
];

describe('exporting', () => {
  it('gives a tar from which GNU tar makes what unpack makes', async () => {
    const layers = writeLayers(work, stack());
    const { tree } = await readTree(layers);
    writeFileSync(join(work, 'all.tar'), await buffer(exportTree(tree, layers)));
    mkdirSync(join(work, 'tar'));
    execFileSync('tar', ['-xpf', join(work, 'all.tar'), '--numeric-owner', '-C', join(work, 'tar')]);
    await unpack(layers, join(work, 'unpacked'));
    expect(Object.fromEntries(snapshot(join(work, 'tar')))).toEqual(
      Object.fromEntries(snapshot(join(work, 'unpacked'))),
    );
  });

  it('gives the same bytes every time', async () => {
    const layers = writeLayers(work, stack());
    const once = await buffer(exportTree((await readTree(layers)).tree, layers));
    const again = await buffer(exportTree((await readTree(layers, { workers: 1 })).tree, layers));
    expect(once.equals(again)).toBe(true);
  });

  it('ends with the error when a layer is not what it was, and when its signal fires', async () => {
    const layers = writeLayers(work, stack());
    const { tree } = await readTree(layers);
    const controller = new AbortController();
    controller.abort();
    await expect(buffer(exportTree(tree, layers, { signal: controller.signal }))).rejects.toMatchObject({
      code: 'ABORTED',
    });
    const changed = writeLayers(work, [[file('other')], [file('other')]]);
    await expect(buffer(exportTree(tree, changed))).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });
});
