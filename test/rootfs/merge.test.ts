import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listTree, lookUp } from '../../src/rootfs/look.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import type { Tree } from '../../src/rootfs/tree.ts';
import { writeLayers } from '../support/layers.ts';
import { directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

let work: string;
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), 'merge-'));
});
afterAll(() => removeTree(work));

async function merged(...stack: Member[][]): Promise<Tree> {
  return (await readTree(writeLayers(work, stack), { workers: 1 })).tree;
}
const names = (tree: Tree): string[] => [...listTree(tree, '/', { recursive: true })].map(({ path }) => path);

describe('merging layers', () => {
  it('a whiteout takes away what lower layers have, not what its own layer has, wherever it stands', async () => {
    const base = [directory('d/', { mode: 0o700 }), file('d/old'), file('x')];
    expect(names(await merged(base, [file('x'), file('.wh.x')]))).toEqual(['/d', '/d/old', '/x']);
    expect(names(await merged(base, [file('.wh.x'), file('x')]))).toEqual(['/d', '/d/old', '/x']);
    const early = await merged(base, [file('.wh.d'), file('d/new')]);
    const late = await merged(base, [file('d/new'), file('.wh.d')]);
    expect([names(early), names(late)]).toEqual([
      ['/d', '/d/new', '/x'],
      ['/d', '/d/new', '/x'],
    ]);
    expect([lookUp(early, 'd').node.mode, lookUp(late, 'd').node.mode]).toEqual([0o755, 0o755]);
  });

  it('an opaque marker empties what lower layers put there, wherever it stands', async () => {
    const base = [directory('d/', { mode: 0o700 }), file('d/old'), file('d/sub/deep')];
    for (const upper of [
      [file('d/.wh..wh..opq'), file('d/sub/new')],
      [file('d/sub/new'), file('d/.wh..wh..opq')],
    ]) {
      const tree = await merged(base, upper);
      expect([names(tree), lookUp(tree, 'd').node.mode]).toEqual([['/d', '/d/sub', '/d/sub/new'], 0o700]);
    }
  });

  it('an opaque marker over a file of a lower layer makes it an empty directory', async () => {
    const tree = await merged([file('d', 'x')], [file('d/.wh..wh..opq')]);
    expect(lookUp(tree, 'd').node).toMatchObject({ kind: 'directory', children: new Map() });
  });

  it('a whiteout through a symlink acts inside the root', async () => {
    expect(names(await merged([file('real/x'), symlink('via', '/real')], [file('via/.wh.x')]))).toEqual([
      '/real',
      '/via',
    ]);
  });

  it('a directory entry over a symlink replaces it, over a directory describes it', async () => {
    const tree = await merged(
      [directory('usr/lib/'), symlink('lib', 'usr/lib')],
      [directory('lib/'), file('lib/x'), directory('usr/', { mode: 0o700 })],
    );
    expect(names(tree)).toEqual(['/lib', '/lib/x', '/usr', '/usr/lib']);
    expect(lookUp(tree, 'usr').node).toMatchObject({ mode: 0o700, layer: 1, entry: 2 });
  });

  it('parents nobody declared are 0755, owned by root, with the time of what needs them', async () => {
    const tree = await merged([file('a/b/c', '', { mtime: 1234, uid: 9 })]);
    expect(lookUp(tree, 'a/b').node).toMatchObject({ mode: 0o755, uid: 0, gid: 0, mtime: 1234, entry: -1 });
  });

  it('a root entry describes the root', async () => {
    expect((await merged([directory('./', { mode: 0o711, mtime: 77 })])).root).toMatchObject({
      mode: 0o711,
      mtime: 77,
    });
  });

  it('AUFS metadata goes, and hard links into it stay', async () => {
    const tree = await merged([
      directory('.wh..wh.plnk/'),
      file('.wh..wh.plnk/1.2', 'x'),
      hardlink('b', '.wh..wh.plnk/1.2'),
      file('.wh..wh.aufs'),
    ]);
    expect([names(tree), lookUp(tree, 'b').node.size]).toEqual([['/b'], 1]);
  });

  it('a whiteout of what is not there changes nothing', async () => {
    expect(names(await merged([file('a')], [file('.wh.b'), file('no/such/.wh.c')]))).toEqual(['/a']);
  });
});
