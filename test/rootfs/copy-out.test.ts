// Files out of an image: what arrives, where, and what is never touched.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CopyToDiskOptions, copyOut, copyOutTar } from '../../src/rootfs/copy-out.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import type { Tree } from '../../src/rootfs/tree.ts';
import { unpack } from '../../src/rootfs/unpack.ts';
import { snapshot } from '../support/disk-snapshot.ts';
import { writeLayers } from '../support/layers.ts';
import { buildTarGz, directory, file, hardlink, type Member, symlink } from '../support/tar-builder.ts';

const STACK: Array<Member[] | Buffer> = [
  [
    directory('etc', { mtime: 1_500_000_000 }),
    directory('etc/app', { mode: 0o750, uid: 5, gid: 6, mtime: 1_400_000_000 }),
    file('etc/app/conf', 'first'),
    file('etc/app/run', '#!', { mode: 0o4755, uid: 7, mtime: 1_300_000_000 }),
    hardlink('etc/app/again', 'etc/app/run'),
    file('etc/outside', 'shared', { mode: 0o640 }),
    hardlink('etc/app/in', 'etc/outside'),
    symlink('etc/app/link', '../../../../../../tmp'),
    symlink('conf', 'etc/app'),
    symlink('os', 'etc/app/conf'),
    directory('etc/app/empty', { mode: 0o555 }),
  ],
  buildTarGz([
    file('etc/app/conf', 'second'),
    file('etc/app/big', 'z'.repeat(9_000_000)),
    { name: 'etc/app/pipe', type: '6' },
    file(Buffer.from('etc/app/caf\u00e9\xff', 'latin1'), 'bytes'),
    file('etc/app/hole', 'hi', {
      pax: {
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.map': '300000,2',
        'GNU.sparse.size': '600000',
      },
    }),
  ]),
];

let work: string;
let out: string;
let layers: ReturnType<typeof writeLayers>;
let tree: Tree;
beforeEach(async () => {
  work = mkdtempSync(join(tmpdir(), 'ocitool-copy-'));
  out = join(work, 'out');
  mkdirSync(out);
  layers = writeLayers(work, STACK);
  tree = (await readTree(layers)).tree;
});
afterEach(() => removeTree(work));

const copy = (path: string, destination: string, options?: CopyToDiskOptions) =>
  copyOut(tree, layers, path, destination, options);
const text = (...path: string[]): string => readFileSync(join(out, ...path), 'utf8');
/** What was there before, and nothing else: no private folder stays. */
const untouched = (): string[] => readdirSync(out).sort();

/** Unpacks a tar into a new folder with GNU tar. */
function extract(folder: string, tar: Buffer): string {
  mkdirSync(folder);
  execFileSync('tar', ['-xp', '--numeric-owner', '-C', folder], {
    input: tar,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return folder;
}

/** The snapshot below `top`, without the names an inode has elsewhere. */
function seen(top: string): Record<string, object> {
  return Object.fromEntries([...snapshot(top)].filter(([path]) => !/^(in|outside)$/.test(path)));
}

describe('what arrives', () => {
  test('a tree, in every attribute as an unpack has it', async () => {
    await unpack(layers, join(work, 'all'));
    const copied = await copy('/etc/app', join(out, 'app'));
    expect(seen(join(out, 'app'))).toEqual(seen(join(work, 'all/etc/app')));
    const [there, wanted] = [join(out, 'app'), join(work, 'all/etc/app')].map((path) => lstatSync(path));
    expect([there?.mode, there?.uid, there?.gid, there?.mtimeMs]).toEqual([
      wanted?.mode,
      wanted?.uid,
      wanted?.gid,
      wanted?.mtimeMs,
    ]);
    expect(copied).toMatchObject({ destination: join(out, 'app'), entries: 11, losses: { devices: 0 } });
    expect(untouched()).toEqual(['app']);
  });

  test('hard links inside stay links; a name outside makes a copy', async () => {
    await copy('/etc/app', out);
    const inode = (name: string) => lstatSync(join(out, 'app', name));
    expect([inode('run').ino === inode('again').ino, inode('run').nlink]).toEqual([true, 2]);
    expect([inode('in').nlink, text('app/in')]).toEqual([1, 'shared']);
  });

  test('a file, alone', async () => {
    expect(await copy('/etc/app/conf', join(out, 'mine'))).toMatchObject({ entries: 1, bytes: 6 });
    expect([text('mine'), lstatSync(join(out, 'mine')).nlink, untouched()]).toEqual(['second', 1, ['mine']]);
  });

  test('a name with bytes that are no text', async () => {
    await copy('/etc/app', out);
    const names = readdirSync(join(out, 'app'), { encoding: 'latin1' });
    expect(names).toContain('caf\u00e9\xff');
  });

  test('a symlink as the link it is, or what it leads to under its own name', async () => {
    await copy('/os', out);
    expect(readlinkSync(join(out, 'os'))).toBe('etc/app/conf');
    await copy('/os', join(out, 'os'), { followLink: true, force: true });
    expect(text('os')).toBe('second');
    await copy('/conf', out, { followLink: true });
    expect(text('conf/conf')).toBe('second');
  });

  test('through symlinks on the way', async () => {
    await copy('/conf/conf', out);
    expect(text('conf')).toBe('second');
  });
});

describe('where it goes', () => {
  test('into a directory, or under a name, or the contents alone', async () => {
    await copy('/etc/app/conf', out);
    await copy('/etc/app', `${out}/new/`);
    await copy('/etc/app/.', join(out, 'contents'));
    mkdirSync(join(out, 'empty'));
    await copy('/etc/app/.', join(out, 'empty'));
    expect([text('conf'), text('new/conf'), text('contents/conf'), text('empty/conf')]).toEqual(
      Array(4).fill('second'),
    );
    expect(untouched()).toEqual(['conf', 'contents', 'empty', 'new']);
  });

  test('the root goes where it was told, not under a name', async () => {
    await copy('/', join(out, 'root'));
    expect(text('root/os')).toBe('second');
  });

  test('into the directory that a symlink on this machine leads to', async () => {
    mkdirSync(join(out, 'real'));
    symlinkSync('real', join(out, 'way'));
    await copy('/etc/app/conf', join(out, 'way'));
    expect(text('real/conf')).toBe('second');
  });
});

describe('what is there stays', () => {
  test.each<[what: string, path: string, destination: string, code: string]>([
    ['a file', '/etc/app/conf', 'file', 'DESTINATION_NOT_EMPTY'],
    ['a file in the directory', '/etc/app/conf', 'full', 'DESTINATION_NOT_EMPTY'],
    ['a symlink to nothing', '/etc/app/conf', 'dangling', 'DESTINATION_NOT_EMPTY'],
    ['a directory of that name', '/etc/app', 'full', 'DESTINATION_NOT_EMPTY'],
    ['a full directory for the contents', '/etc/app/.', 'full', 'DESTINATION_NOT_EMPTY'],
    ['a file for a directory', '/etc/app', 'file', 'DESTINATION_NOT_EMPTY'],
    ['a file with a slash behind it', '/etc/app/conf', 'file/', 'IO'],
    ['a directory that is not there', '/etc/app/conf', 'nowhere/', 'IO'],
    ['a parent that is not there', '/etc/app/conf', 'no/where', 'IO'],
  ])('%s', async (_, path, destination, code) => {
    writeFileSync(join(out, 'file'), 'mine');
    mkdirSync(join(out, 'full/app'), { recursive: true });
    writeFileSync(join(out, 'full/conf'), 'mine');
    writeFileSync(join(out, 'full/app/x'), 'mine');
    symlinkSync('nothing', join(out, 'dangling'));
    const before = snapshot(out);
    await expect(copy(path, `${out}/${destination}`)).rejects.toMatchObject({ code });
    expect(snapshot(out)).toEqual(before);
  });

  test('with force a file is replaced, and a symlink by the file: what it led to is not written', async () => {
    writeFileSync(join(out, 'precious'), 'mine');
    symlinkSync('precious', join(out, 'conf'));
    await copy('/etc/app/conf', out, { force: true });
    expect([text('conf'), text('precious'), lstatSync(join(out, 'conf')).isFile()]).toEqual([
      'second',
      'mine',
      true,
    ]);
    await copy('/etc/app/run', join(out, 'conf'), { force: true });
    expect([text('conf'), untouched()]).toEqual(['#!', ['conf', 'precious']]);
  });

  test('with force no directory is', async () => {
    mkdirSync(join(out, 'app'));
    writeFileSync(join(out, 'app/mine'), 'mine');
    for (const path of ['/etc/app', '/etc/app/.']) {
      const destination = path === '/etc/app' ? out : join(out, 'app');
      await expect(copy(path, destination, { force: true })).rejects.toMatchObject({
        code: 'DESTINATION_NOT_EMPTY',
      });
    }
    mkdirSync(join(out, 'conf'));
    await expect(copy('/etc/app/conf', out, { force: true })).rejects.toMatchObject({
      code: 'DESTINATION_NOT_EMPTY',
    });
    expect([untouched(), text('app/mine')]).toEqual([['app', 'conf'], 'mine']);
  });
});

describe('what goes wrong leaves nothing', () => {
  test.each([
    ['/etc/app/cnf', 'did you mean /etc/app/conf?'],
    ['/os/.', undefined],
  ])('%s is not there', async (path, hint) => {
    await expect(copy(path, out)).rejects.toMatchObject({ code: 'PATH_NOT_FOUND', hint });
    expect(untouched()).toEqual([]);
  });

  test('a layer that is not what it was', async () => {
    writeFileSync(layers[1]?.location.path ?? '', 'no gzip at all');
    await expect(copy('/etc/app', out)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
    expect(untouched()).toEqual([]);
  });

  test('a signal in the middle of a file', async () => {
    const controller = new AbortController();
    const ended = copy('/etc/app/big', out, { signal: controller.signal });
    expect(untouched()).toHaveLength(1);
    controller.abort();
    await expect(ended).rejects.toMatchObject({ code: 'ABORTED' });
    expect(untouched()).toEqual([]);
  });

  test('what came into the way meanwhile is not overwritten', async () => {
    const [asFile, asTree] = [copy('/etc/app/big', join(out, 'a')), copy('/etc/app', join(out, 'b'))];
    writeFileSync(join(out, 'a'), 'mine');
    mkdirSync(join(out, 'b/mine'), { recursive: true });
    await expect(asFile).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
    await expect(asTree).rejects.toMatchObject({ code: 'DESTINATION_NOT_EMPTY' });
    expect([text('a'), untouched(), existsSync(join(out, 'b/mine'))]).toEqual(['mine', ['a', 'b'], true]);
  });
});

describe('as a tar', () => {
  test('the tree under its name, or only what is in it', async () => {
    await copy('/etc/app', join(out, 'copied'));
    for (const [path, top] of [
      ['/etc/app', 'app'],
      ['/etc/app/.', '.'],
    ] as const) {
      const from = extract(join(work, `tar-${top}`), await buffer(copyOutTar(tree, layers, path)));
      expect(Object.fromEntries(snapshot(join(from, top)))).toEqual(
        Object.fromEntries(snapshot(join(out, 'copied'))),
      );
    }
  });

  test('one file, by a link that is followed', async () => {
    const from = extract(
      join(work, 'tar'),
      await buffer(copyOutTar(tree, layers, 'os', { followLink: true })),
    );
    expect(readFileSync(join(from, 'os'), 'utf8')).toBe('second');
  });
});
