// How the differences of two images look.
import { expect, test } from 'vitest';
import type { ImageDiff } from '../../src/client/diff.ts';
import { digestOf } from '../../src/reference/digest.ts';
import type { DiffEntry, DiffPart } from '../../src/rootfs/diff.ts';
import { createNode, type NodeKind, type TreeNode } from '../../src/rootfs/tree.ts';
import { diffLines, sortedEntries } from '../../src/ui/diff-lines.ts';

const node = (kind: NodeKind, size = 0, target = ''): TreeNode => ({
  ...createNode(kind, 0, 0),
  size,
  target,
});

function entry(path: string, before?: TreeNode, after?: TreeNode, what: DiffPart[] = []): DiffEntry {
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return { path, change, what, before, after, delta: (after?.size ?? 0) - (before?.size ?? 0) };
}

const image = (name: string, layers: number, size: number) => ({
  name,
  layers,
  size,
  digest: digestOf(name),
});

const DIFF: ImageDiff = {
  path: '/',
  before: image('a', 3, 5_000),
  after: image('b', 2, 3_000_000),
  shared: { layers: 1, size: 2_000 },
  entries: [
    entry('/bin', node('directory'), node('symlink', 0, 'usr/bin'), ['kind', 'mtime']),
    entry('/bin/sh', node('file', 90)),
    entry('/etc/motd', node('file', 10), node('file', 12), ['content', 'mode', 'mtime']),
    entry('/etc/touched', node('file', 10), node('file', 10), ['mtime']),
    entry('/opt', undefined, node('directory')),
    entry('/opt/a', undefined, node('file', 3_000)),
    entry('/opt/deep', undefined, node('directory')),
    entry('/opt/deep/b', undefined, node('file', 70)),
    entry('/optional', undefined, node('file', 0)),
    entry('/void', node('directory')),
    entry('/\u001b[2J', undefined, node('fifo')),
  ],
  added: { entries: 6, bytes: 3_070 },
  removed: { entries: 2, bytes: 90 },
  changed: { entries: 2, bytes: 2 },
  timeOnly: 1,
  unchanged: 1_234,
};

const SUMMARY = [
  '6 added (+3.07kB), 2 removed (-90B), 2 changed (+2B), 1 touched, 1,234 the same',
  'layers: 1 (2.00kB) shared, 2 (3.00kB) only in A, 1 (3.00MB) only in B',
];

test('one line each, a directory with all its content on one', () => {
  expect(diffLines(DIFF, { sort: 'path', recursive: false, width: 80 })).toEqual([
    '     SIZE    DELTA  WHAT           PATH',
    '~       -        -  now symlink    /bin -> usr/bin',
    '-     90B     -90B  file           /bin/sh',
    '~     12B      +2B  content, mode  /etc/motd',
    '~     10B        -  mtime          /etc/touched',
    '+  3.07kB  +3.07kB  4 entries      /opt/',
    '+      0B        -  file           /optional',
    '-       -        -  directory      /void/',
    '+       -        -  fifo           /\\x1b[2J',
    '',
    ...SUMMARY,
  ]);
});

test('every name when asked for, and what weighs most first', () => {
  const lines = diffLines(DIFF, { sort: 'size', recursive: true, width: 80 });
  expect(lines.slice(1, 5).map((line) => line.split(' ').at(-1))).toEqual([
    '/opt/a',
    '/bin/sh',
    '/opt/deep/b',
    '/etc/motd',
  ]);
  expect(lines).toHaveLength(DIFF.entries.length + 4);
  expect(sortedEntries(DIFF.entries, 'path')).toEqual(DIFF.entries);
});

test('nothing but the summary when all is the same', () => {
  const none = { entries: 0, bytes: 0 };
  const same = {
    ...DIFF,
    entries: [],
    added: none,
    removed: none,
    changed: none,
    shared: image('b', 2, 3_000_000),
  };
  expect(diffLines(same, { sort: 'path', recursive: false, width: 80 })[0]).toBe(
    '0 added, 0 removed, 0 changed, 1 touched, 1,234 the same',
  );
});
