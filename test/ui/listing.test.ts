// What `ls` prints: columns as wide as their widest cell, nothing that a terminal would obey.
import { expect, it } from 'vitest';
import { listingOf } from '../../src/rootfs/listing.ts';
import { createNode, type NodeKind, type TreeNode } from '../../src/rootfs/tree.ts';
import { listingBytes } from '../../src/ui/listing.ts';

const at = (
  path: string,
  kind: NodeKind,
  more: Partial<TreeNode> = {},
): { path: string; node: TreeNode } => ({ path, node: { ...createNode(kind, 0, 0), ...more } });

function listingLines(listed: { path: string; node: TreeNode }[]): string[] {
  const text = Buffer.from(listingBytes(listingOf(listed))).toString();
  expect(text.endsWith('\n')).toBe(true);
  return text.slice(0, -1).split('\n');
}

it('modes, owners, sizes and times in columns', () => {
  const lines = listingLines([
    at('/d', 'directory', { mode: 0o1777, mtime: 1_551_997_259 }),
    at('/f', 'file', { mode: 0o4755, uid: 1000, gid: 100_000, size: 1_234_567, layer: 10 }),
    at('/l', 'symlink', { mode: 0o777, target: 'caf\xc3\xa9' }),
    at('/n', 'char', { mode: 0o620, major: 5, minor: 1, mtime: -1 }),
    at('/p', 'fifo', { mtime: 1e15 }),
  ]);
  expect(lines).toEqual([
    'MODE        OWNER           SIZE  TIME              LAYER  PATH',
    'drwxrwxrwt  0:0                0  2019-03-07 22:20      1  /d/',
    '-rwsr-xr-x  1000:100000  1234567  1970-01-01 00:00     11  /f',
    'lrwxrwxrwx  0:0                0  1970-01-01 00:00      1  /l -> café',
    'crw--w----  0:0              5,1  1969-12-31 23:59      1  /n',
    'p---------  0:0                0  ?                     1  /p',
  ]);
});

it('what a terminal would obey is shown, and no line ends in spaces', () => {
  const lines = listingLines([
    at('/a\u001b[2J', 'file'),
    at('/b  ', 'file'),
    at('/c', 'symlink', { target: '\n' }),
  ]);
  expect(lines.slice(1).map((line) => line.slice(line.indexOf('/')))).toEqual([
    '/a\\x1b[2J',
    '/b',
    '/c -> \\n',
  ]);
});

it('an empty directory has titles only', () => {
  expect(listingLines([])).toEqual(['MODE  OWNER  SIZE  TIME  LAYER  PATH']);
});

it('hard links show what they share', () => {
  const origin = { ...createNode('file', 0, 0), size: 5, mode: 0o600 };
  expect(listingLines([at('/hard', 'file', { origin, layer: 1 })])[1]).toMatch(
    /^-rw-{7} .* 5 .* 2 {2}\/hard$/,
  );
});
