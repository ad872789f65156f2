// Two stacks of layers compared, file by file.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DiffOptions, type DiffSide, diffTrees, type TreeDiff } from '../../src/rootfs/diff.ts';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { readTree } from '../../src/rootfs/read-tree.ts';
import { writeLayers } from '../support/layers.ts';
import {
  buildTar,
  buildTarGz,
  directory,
  file,
  hardlink,
  type Member,
  symlink,
} from '../support/tar-builder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-diff-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

type Stack = Array<Member[] | Buffer>;

async function sideOf(name: string, stack: Stack): Promise<DiffSide & { layers: LayerSource[] }> {
  mkdirSync(join(dir, name));
  const layers = writeLayers(join(dir, name), stack);
  const { tree, layers: stats } = await readTree(layers);
  return { tree, layers, stats };
}

async function compare(before: Stack, after: Stack, options?: DiffOptions): Promise<TreeDiff> {
  return diffTrees(await sideOf('before', before), await sideOf('after', after), options);
}

/** `+ /path`, `~ /path content,mode` */
function lines({ entries }: TreeDiff): string[] {
  const sign = { added: '+', removed: '-', changed: '~' };
  return entries.map(({ change, path, what }) => `${sign[change]} ${path} ${what.join()}`.trim());
}

const BASE: Member[] = [
  directory('etc'),
  file('etc/motd', 'hello'),
  directory('opt'),
  directory('opt/tool'),
  file('opt/tool/a', 'aaaa'),
  file('opt/tool/b', 'bb'),
  symlink('link', 'etc'),
];

describe('what is found', () => {
  test('added and removed trees name by name, parents first, and what they weigh', async () => {
    const diff = await compare(
      [BASE],
      [BASE, [file('opt/.wh.tool'), directory('var'), file('var/x', 'xyz')]],
    );
    expect(lines(diff)).toEqual(['- /opt/tool', '- /opt/tool/a', '- /opt/tool/b', '+ /var', '+ /var/x']);
    expect(diff).toMatchObject({
      added: { entries: 2, bytes: 3 },
      removed: { entries: 3, bytes: 6 },
      changed: { entries: 0, bytes: 0 },
      // The root, /etc, /etc/motd, /link, /opt.
      unchanged: 5,
    });
    expect(diff.entries.find(({ path }) => path === '/opt/tool/a')).toMatchObject({
      delta: -4,
      after: undefined,
      before: { kind: 'file', layer: 0 },
    });
  });

  const once = (member: Partial<Member>): Member => ({ name: 'x', content: 'same', ...member });
  test.each<[what: string, before: Partial<Member>, after: Partial<Member>]>([
    ['content', {}, { content: 'else' }],
    ['content', {}, { content: 'longer than that' }],
    ['mode', {}, { mode: 0o4755 }],
    ['owner', {}, { uid: 7 }],
    ['owner', {}, { gid: 7 }],
    ['xattrs', {}, { pax: { 'SCHILY.xattr.user.a': '1' } }],
    ['xattrs', { pax: { 'SCHILY.xattr.user.a': '2' } }, { pax: { 'SCHILY.xattr.user.a': '1' } }],
    ['target', { type: '2', link: 'a', content: '' }, { type: '2', link: 'b', content: '' }],
    ['device', { type: '3', content: '', major: 1 }, { type: '3', content: '', major: 2 }],
    ['kind', {}, { type: '2', link: 'a', content: '' }],
    ['content,mode,mtime', {}, { content: 'else', mode: 0o600, mtime: 5 }],
  ])('%s', async (what, before, after) => {
    const diff = await compare([[once(before)]], [[once(after)]]);
    // The root takes its time from the first entry.
    expect(lines(diff)).toEqual([`~ /x ${what}`]);
  });

  test("a symlink's mode is nobody's business", async () => {
    const diff = await compare(
      [[symlink('s', 'x', { mode: 0o777 })]],
      [[symlink('s', 'x', { mode: 0o644 })]],
    );
    expect(lines(diff)).toEqual([]);
  });

  test('a file in the place of a directory, with everything that was in it', async () => {
    const diff = await compare([BASE], [BASE, [file('opt/tool', 'now a file')]]);
    expect(lines(diff)).toEqual(['~ /opt/tool kind,mode', '- /opt/tool/a', '- /opt/tool/b']);
  });

  test('a time alone is counted, and listed when asked for', async () => {
    const touched = BASE.map((member) => ({ ...member, mtime: 1_700_000_000 }));
    const diff = await compare([BASE], [touched]);
    expect([lines(diff), diff.timeOnly, diff.unchanged]).toEqual([[], 8, 0]);
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    const listed = await compare([BASE], [touched], { times: true, path: '/etc' });
    expect(lines(listed)).toEqual(['~ /etc mtime', '~ /etc/motd mtime']);
  });

  test('hard links have the content of their file, which is weighed once', async () => {
    const before: Member[] = [file('a', 'text'), file('b', 'text')];
    const diff = await compare(
      [before],
      [[file('a', 'text'), hardlink('b', 'a'), file('c', '123'), hardlink('d', 'c')]],
    );
    expect(lines(diff)).toEqual(['+ /c', '+ /d']);
    expect(diff.added).toEqual({ entries: 2, bytes: 3 });
  });

  test('names that are not UTF-8, in the order of their bytes', async () => {
    const diff = await compare(
      [[file('b')]],
      [[file(Buffer.from([0xff])), file('a'), file('b'), file('caf\u00e9')]],
    );
    expect(lines(diff)).toEqual(['+ /a', '+ /caf\u00e9', '+ /\ufffd']);
  });
});

describe('how contents are compared', () => {
  test('big files of one size, sparse ones and small ones, over several layers of both', async () => {
    const big = 'z'.repeat(3_000_000);
    const hole = (at: string): Partial<Member> => ({
      pax: {
        'GNU.sparse.major': '0',
        'GNU.sparse.minor': '1',
        'GNU.sparse.map': `${at},2`,
        'GNU.sparse.size': '600000',
      },
    });
    const diff = await compare(
      [
        [file('1', 'one'), file('big', big), file('2', 'two')],
        buildTarGz([file('3', 'hi', hole('300000')), file('4', 'four')]),
      ],
      [
        buildTarGz([file('4', 'four'), file('2', 'owt'), file('3', 'hi', hole('300001'))]),
        [file('big', `${big.slice(1)}y`), file('1', 'one')],
      ],
    );
    expect(lines(diff)).toEqual(['~ /2 content', '~ /3 content', '~ /big content']);
  });

  test('the same entry of the same layer is the same, however the layer is packed: nothing is read', async () => {
    const before = await sideOf('before', [buildTar(BASE)]);
    const after = await sideOf('after', [buildTarGz(BASE)]);
    for (const { location } of [...before.layers, ...after.layers]) rmSync(location.path);
    expect(lines(await diffTrees(before, after))).toEqual([]);
  });

  test('a layer that is not what it was is an error, not a difference', async () => {
    const before = await sideOf('before', [[file('x', 'same')]]);
    const after = await sideOf('after', [[file('x', 'else')]]);
    writeFileSync(after.layers[0]?.location.path ?? '', Buffer.alloc(2048));
    await expect(diffTrees(before, after)).rejects.toMatchObject({ code: 'LAYER_INVALID' });
  });

  test('stops when asked to', async () => {
    const [before, after] = [
      await sideOf('before', [[file('x', 'same')]]),
      await sideOf('after', [[file('x', 'else')]]),
    ];
    const controller = new AbortController();
    const ended = diffTrees(before, after, { signal: controller.signal });
    controller.abort();
    await expect(ended).rejects.toMatchObject({ code: 'ABORTED' });
  });
});

describe('only a part', () => {
  test('a directory of both, through the symlinks of each', async () => {
    const diff = await compare(
      [BASE],
      [
        [...BASE, file('etc/new', 'n')],
        [file('etc/motd', 'HELLO'), file('opt/x')],
      ],
      {
        path: 'link/',
      },
    );
    expect(diff.path).toBe('/etc');
    expect(lines(diff)).toEqual(['~ /etc/motd content', '+ /etc/new']);
  });

  test('what only one has', async () => {
    const diff = await compare([BASE], [[directory('etc')]], { path: '/opt/tool' });
    expect(lines(diff)).toEqual(['- /opt/tool', '- /opt/tool/a', '- /opt/tool/b']);
  });

  test('what neither has', async () => {
    await expect(compare([BASE], [BASE], { path: '/etd' })).rejects.toMatchObject({
      code: 'PATH_NOT_FOUND',
      hint: 'did you mean /etc?',
    });
  });
});
