import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { listTree, lookUp, readFile } from '../../src/rootfs/look.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import { inodeOf, type Tree } from '../../src/rootfs/tree.ts';
import { writeLayers } from '../support/layers.ts';
import { buildTarGz, directory, file, hardlink, symlink } from '../support/tar-builder.ts';

let work: string;
let layers: LayerSource[];
let tree: Tree;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'look-'));
  layers = writeLayers(work, [
    [
      directory('usr/lib/'),
      file('usr/lib/os-release', 'NAME=one\n'),
      symlink('etc/os-release', '../usr/lib/os-release'),
      symlink('lib', 'usr/lib'),
      symlink('abs', '/usr/lib'),
      symlink('out', '../../../usr'),
      symlink('loop', 'loop'),
      symlink('dangling', 'nowhere'),
    ],
    buildTarGz([
      file('big', 'z'.repeat(3_000_000)),
      file('usr/lib/os-release', 'NAME=two\n'),
      hardlink('usr/lib/copy', 'usr/lib/os-release'),
      file('caf\u00e9', 'coffee'),
    ]),
  ]);
  tree = (await readTree(layers)).tree;
});
afterAll(() => removeTree(work));

describe('looking at a path', () => {
  it.each([
    '/etc/os-release',
    'etc/os-release',
    '/lib/os-release',
    'abs/os-release',
    'out/lib/copy',
    '//etc/./../etc/os-release',
  ])('reads %s through the symlinks of the image', async (path) => {
    expect(await text(readFile(tree, layers, path))).toBe('NAME=two\n');
  });

  it('knows which layer each name and each content is from', () => {
    const copy = lookUp(tree, '/usr/lib/copy').node;
    expect([
      copy.layer,
      copy.entry,
      inodeOf(copy).entry,
      lookUp(tree, '/lib', { noFollow: true }).node.layer,
    ]).toEqual([1, 2, 1, 0]);
  });

  it('says where a path really is', () => {
    expect(lookUp(tree, '/abs/os-release').path).toBe('/usr/lib/os-release');
    expect(lookUp(tree, '/lib', { noFollow: true })).toMatchObject({
      path: '/lib',
      node: { kind: 'symlink' },
    });
    expect(lookUp(tree, '/lib/', { noFollow: true }).path).toBe('/usr/lib');
  });

  it.each([
    ['/usr/lib/os-releases', 'did you mean /usr/lib/os-release?'],
    ['/USR/lib', 'did you mean /usr?'],
    ['/usr/lib/entirely/else', '/usr/lib is there; list it to see what it holds'],
    ['/big/below', '/big is not a directory'],
    ['/dangling', '/ is there; list it to see what it holds'],
    ['/loop', undefined],
  ])('does not find %s, and hints', (path, hint) => {
    expect(() => lookUp(tree, path)).toThrow(expect.objectContaining({ code: 'PATH_NOT_FOUND', hint }));
  });

  it('refuses to read a directory', () => {
    expect(() => readFile(tree, layers, '/usr')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });

  it('gives a big file whole, and stops when asked to', async () => {
    expect((await buffer(readFile(tree, layers, 'big'))).length).toBe(3_000_000);
    const controller = new AbortController();
    controller.abort();
    await expect(buffer(readFile(tree, layers, 'big', { signal: controller.signal }))).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });
});

describe('listing', () => {
  const paths = (path?: string, recursive?: boolean): string[] =>
    [...listTree(tree, path, recursive === undefined ? {} : { recursive })].map((listed) => listed.path);

  it('a directory, sorted, or everything below it, parents first', () => {
    expect(paths()).toEqual([
      '/abs',
      '/big',
      '/caf\u00e9',
      '/dangling',
      '/etc',
      '/lib',
      '/loop',
      '/out',
      '/usr',
    ]);
    expect(paths('/usr', true)).toEqual(['/usr/lib', '/usr/lib/copy', '/usr/lib/os-release']);
    expect(paths('abs')).toEqual(['/usr/lib/copy', '/usr/lib/os-release']);
    expect(paths('caf\u00e9')).toEqual(['/caf\u00e9']);
  });
});
