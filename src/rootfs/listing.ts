// Names of the merged tree in the order of a listing, by number: a listing of 76,000 lines is written without an object
// or a string for each, which take most of its time.
import { baseOf, parentOf } from '../layer/entry-path.ts';
import { childrenOf, compareRows, DIRECTORY, type NodeTable } from './node-table.ts';
import type { Facts } from './row-facts.ts';
import { inodeOf, type TreeNode } from './tree.ts';

/** Names from 0 to `count`. Paths are bytes: that of the folder, which ends in a slash, and a part of `names`. */
export interface Listing {
  readonly count: number;
  readonly names: Uint8Array;
  facts(at: number): Facts;
  folder(at: number): Uint8Array;
  start(at: number): number;
  end(at: number): number;
}

interface Rows {
  count: number;
  rows: number[];
  /** Paths of the directories they are in, which end in a slash, byte strings; and which one each is in. */
  folders: string[];
  folderOf: number[];
}

interface RowsOptions {
  /** Of the directory's path. */
  prefix: string;
  recursive: boolean;
  nameOf(row: number): string;
}

/** The rows in a directory, or all that are below it, parents first, in the order of their names' bytes. */
export function rowsBelow(
  table: NodeTable,
  directory: number,
  { prefix, recursive, nameOf }: RowsOptions,
): Rows {
  const [rows, folderOf]: [number[], number[]] = [[], []];
  const folders = [`${prefix}/`];
  // A stack: an image's directories may be deeper than calls can be.
  const levels = [{ rows: sorted(table, directory), folder: 0, at: 0 }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const row = level.rows[level.at++];
    if (row === undefined) {
      levels.pop();
      continue;
    }
    rows.push(row);
    folderOf.push(level.folder);
    if (recursive && table.kinds[row] === DIRECTORY) {
      const folder = folders.push(`${folders[level.folder]}${nameOf(row)}/`) - 1;
      levels.push({ rows: sorted(table, row), folder, at: 0 });
    }
  }
  return { count: rows.length, rows, folders, folderOf };
}

/** The rows of a directory; most are in order as they came. */
function sorted(table: NodeTable, directory: number): number[] {
  const rows = childrenOf(table, directory);
  return table.indexed[directory] === 0 ? rows : rows.sort((a, b) => compareRows(table, a, b));
}

/** A listing of nodes with their paths, byte strings. */
export function listingOf(listed: readonly { path: string; node: TreeNode }[]): Listing {
  const names = listed.map(({ path }) => Buffer.from(baseOf(path), 'latin1'));
  const starts = [0];
  for (const name of names) starts.push((starts.at(-1) as number) + name.length);
  return {
    count: listed.length,
    names: Buffer.concat(names),
    facts(at) {
      const { node } = listed[at] as { node: TreeNode };
      return { ...inodeOf(node), layer: node.layer };
    },
    folder: (at) => Buffer.from(`${parentOf((listed[at] as { path: string }).path)}/`, 'latin1'),
    start: (at) => starts[at] as number,
    end: (at) => starts[at + 1] as number,
  };
}
