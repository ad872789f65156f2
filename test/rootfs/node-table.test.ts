// The rows of the merged tree hold what was put there and not taken away, in whatever order names come.
import { expect, it } from 'vitest';
import { KINDS } from '../../src/rootfs/entry-log.ts';
import { viewOf } from '../../src/rootfs/merged-tree.ts';
import {
  addRow,
  childrenOf,
  createNodeTable,
  DIRECTORY,
  findName,
  keepName,
  NONE,
  type NodeTable,
  ROOT,
  removeRow,
  retainChildren,
  writeName,
} from '../../src/rootfs/node-table.ts';

const FILE = KINDS.indexOf('file');

function put(table: NodeTable, parent: number, name: string, kind = FILE): number {
  expect(findName(table, parent, name)).toBe(NONE);
  const place = writeName(table, name);
  keepName(table, place);
  const row = addRow(table, parent, ...place, kind, 0, -1);
  table.times.set(row, [0, 0]);
  return row;
}

function names(table: NodeTable, directory: number): string[] {
  return childrenOf(table, directory).map((row) =>
    table.names.toString('latin1', table.nameStarts[row], table.nameEnds[row]),
  );
}

/** The same numbers every time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

it('names in order are found without being hashed, and those out of order after', () => {
  const table = createNodeTable(2);
  const sorted = ['a', 'a-', 'a.txt', 'aa', 'b', 'b\xe9'];
  for (const name of sorted) put(table, ROOT, name);
  expect(table.slotsUsed).toBe(0);
  expect(findName(table, ROOT, 'b\xe9')).toBe(sorted.length);
  put(table, ROOT, 'A');
  expect(table.slotsUsed).toBe(sorted.length + 1);
  expect([...sorted, 'A'].map((name) => findName(table, ROOT, name))).not.toContain(NONE);
  expect(findName(table, ROOT, 'ab')).toBe(NONE);
});

it.each(['in order', 'hashed'])('%s: a name taken away is gone, and can come back at once', (how) => {
  const table = createNodeTable(0);
  put(table, ROOT, 'm');
  const last = put(table, ROOT, 'z');
  if (how === 'hashed') put(table, ROOT, 'b');
  removeRow(table, last);
  expect(findName(table, ROOT, 'z')).toBe(NONE);
  const again = put(table, ROOT, 'z');
  expect([again === last, findName(table, ROOT, 'z')]).toEqual([false, again]);
});

it.each([1, 2, 3, 4, 5, 6])('agrees with maps over random changes of several directories (%i)', (seed) => {
  const random = numbers(seed);
  const table = createNodeTable(3);
  const directories = [ROOT, put(table, ROOT, 'd', DIRECTORY), put(table, ROOT, 'e', DIRECTORY)];
  const model = directories.map(() => new Map<string, number>());
  model[0]?.set('d', 1).set('e', 2);
  for (let step = 0; step < 4000; step++) {
    const which = random(directories.length);
    const directory = directories[which] as number;
    const known = model[which] as Map<string, number>;
    // Mostly ever greater, so that some directories stay in order for long.
    const name = random(40) === 0 ? `n${random(300)}` : `n${String(step).padStart(6, '0')}`;
    const there = known.get(name);
    expect(findName(table, directory, name)).toBe(there ?? NONE);
    if (there === undefined) known.set(name, put(table, directory, name));
    else {
      removeRow(table, there);
      known.delete(name);
    }
    if (random(500) === 0) {
      const stays = (row: number): boolean => row <= 2 || row % 3 !== 0;
      retainChildren(table, directory, stays);
      for (const [held, row] of known) if (!stays(row)) known.delete(held);
    }
  }
  for (const [which, directory] of directories.entries()) {
    expect(names(table, directory)).toEqual([...(model[which] as Map<string, number>).keys()]);
    for (const [name, row] of model[which] as Map<string, number>) {
      expect(findName(table, directory, name)).toBe(row);
    }
  }
});

it('a directory has the same children whenever it is asked', () => {
  const table = createNodeTable(0);
  put(table, put(table, ROOT, 'd', DIRECTORY), 'f');
  const { root } = viewOf(table);
  expect(root.children?.get('d')?.children?.get('f')).toBe(root.children?.get('d')?.children?.get('f'));
  expect(root.children?.get('d')?.children?.get('f')?.children).toBeUndefined();
});
