// The merged tree as columns: a row of numbers for each name instead of an object. 100,000 objects, and a map for each
// directory, cost more to make and to collect than all the rest of a question about one path; rows cost nothing to
// collect, and names are compared as bytes where they lie (docs/design/layer-index.md, "Measured").
import { type EntryLog, KINDS } from './entry-log.ts';
import { addToSlots, compareName, findInSlots, removeFromSlots, slotsFor } from './name-slots.ts';

export const ROOT = 0;
/** No row. */
export const NONE = -1;
export const DIRECTORY = KINDS.indexOf('directory');
export const SYMLINK = KINDS.indexOf('symlink');
export const HARDLINK = KINDS.indexOf('hardlink');

/** A row is a name, and what it stands for. Row 0 is the root. Columns are longer than `count`. */
export interface NodeTable {
  count: number;
  /** Index into `KINDS`; a hard link has the kind of what it links to. */
  kinds: Uint8Array;
  /** 1 where the entry's name led here through a symlink. */
  displaced: Uint8Array;
  /** The layer and entry a row was last described by; entry -1 for a directory nobody declared. */
  layers: Int32Array;
  entries: Int32Array;
  /** Hard links: the row whose content and metadata they share. Others: NONE. */
  origins: Int32Array;
  /** The directory a name is in; NONE for the root and for what was taken away. */
  parents: Int32Array;
  /** Where in `names` the name lies. */
  nameStarts: Uint32Array;
  nameEnds: Uint32Array;
  /** Of rows that are in `slots`. */
  hashes: Int32Array;
  /** Directories: the first and last name put into it, in a list through `nexts` that also has what is gone. */
  firsts: Int32Array;
  lasts: Int32Array;
  nexts: Int32Array;
  /** Directories: the last layer whose whiteouts emptied it of everything lower. */
  purges: Int32Array;
  /** The bytes of all names, `namesEnd` of them. */
  names: Buffer;
  namesEnd: number;
  /**
   * Directories: 1 when their names are found by `slots`. Before that each name put there is greater than the one before
   * it, which the next is compared with: nearly all archives list a directory so, and none of it is hashed.
   */
  indexed: Uint8Array;
  /** Rows by parent and name: open addressing; 0 is free, -1 was taken, else the row's number and 1. */
  slots: Int32Array;
  slotsUsed: number;
  /** Rows that hard links share the content of. */
  linked: Set<number>;
  /** Of symlinks, as written, byte strings, by row. */
  targets: Map<number, string>;
  /** By row. */
  devices: Map<number, readonly [major: number, minor: number]>;
  /** Of directories nobody declared, by row. */
  times: Map<number, readonly [seconds: number, nanos: number]>;
  /** By layer. */
  logs: EntryLog[];
}

const INT_COLUMNS = [
  'layers',
  'entries',
  'origins',
  'parents',
  'hashes',
  'firsts',
  'lasts',
  'nexts',
  'purges',
] as const;

/** An empty root, with room for so many names before anything has to grow. */
export function createNodeTable(room: number): NodeTable {
  const table: NodeTable = {
    count: 1,
    kinds: new Uint8Array(room + 1),
    displaced: new Uint8Array(room + 1),
    indexed: new Uint8Array(room + 1),
    layers: new Int32Array(room + 1),
    entries: new Int32Array(room + 1),
    origins: none(room + 1),
    parents: none(room + 1),
    nameStarts: new Uint32Array(room + 1),
    nameEnds: new Uint32Array(room + 1),
    hashes: new Int32Array(room + 1),
    firsts: none(room + 1),
    lasts: none(room + 1),
    nexts: none(room + 1),
    purges: new Int32Array(room + 1),
    names: Buffer.alloc(0),
    namesEnd: 0,
    slots: new Int32Array(slotsFor(0)),
    slotsUsed: 0,
    linked: new Set(),
    targets: new Map(),
    devices: new Map(),
    times: new Map([[ROOT, [0, 0]]]),
    logs: [],
  };
  table.kinds[ROOT] = DIRECTORY;
  table.layers[ROOT] = NONE;
  table.entries[ROOT] = NONE;
  table.purges[ROOT] = NONE;
  return table;
}

/** Takes in the names of a layer; returns where they begin. */
export function addNames(table: NodeTable, bytes: Uint8Array): number {
  const start = table.namesEnd;
  reserveNames(table, bytes.length);
  table.names.set(bytes, start);
  table.namesEnd += bytes.length;
  return start;
}

/** Puts a name that `findRow` has just not found into a directory; returns its row. */
export function addRow(
  table: NodeTable,
  parent: number,
  start: number,
  end: number,
  kind: number,
  layer: number,
  entry: number,
): number {
  if (table.count === table.kinds.length) growRows(table);
  const row = table.count++;
  table.kinds[row] = kind;
  table.layers[row] = layer;
  table.entries[row] = entry;
  // What a layer makes has nothing of lower layers in it.
  table.purges[row] = layer;
  table.parents[row] = parent;
  table.nameStarts[row] = start;
  table.nameEnds[row] = end;
  const last = table.lasts[parent] as number;
  if (last === NONE) table.firsts[parent] = row;
  else table.nexts[last] = row;
  table.lasts[parent] = row;
  if (table.indexed[parent] === 1) addToSlots(table, row);
  return row;
}

/** The row of a name in a directory, NONE when it is not there. */
export function findRow(table: NodeTable, parent: number, start: number, end: number): number {
  if (table.indexed[parent] === 0) {
    const last = table.lasts[parent] as number;
    if (last === NONE) return NONE;
    const order = compareName(table, last, start, end);
    if (order < 0) return NONE;
    if (order === 0) return table.parents[last] === parent ? last : NONE;
    table.indexed[parent] = 1;
    for (const row of childrenOf(table, parent)) addToSlots(table, row);
  }
  return findInSlots(table, parent, start, end);
}

/** The row of `name` (a byte string) in a directory, NONE when it is not there. */
export function findName(table: NodeTable, parent: number, name: string): number {
  const [start, end] = writeName(table, name);
  return findRow(table, parent, start, end);
}

/** Writes `name` behind all names; it stays there if `keepName` follows before another is written. */
export function writeName(table: NodeTable, name: string): [start: number, end: number] {
  reserveNames(table, name.length);
  for (let i = 0; i < name.length; i++) table.names[table.namesEnd + i] = name.charCodeAt(i);
  return [table.namesEnd, table.namesEnd + name.length];
}

export function keepName(table: NodeTable, [, end]: readonly [start: number, end: number]): void {
  table.namesEnd = end;
}

/** Takes a name out of its directory. What is below it is out of reach then. */
export function removeRow(table: NodeTable, row: number): void {
  const parent = table.parents[row] as number;
  if (table.indexed[parent] === 1) removeFromSlots(table, row);
  table.parents[row] = NONE;
}

/** Below 0 when the first row's name comes before the other's, in the order of their bytes. */
export function compareRows(table: NodeTable, a: number, b: number): number {
  return compareName(table, a, table.nameStarts[b] as number, table.nameEnds[b] as number);
}

/** The rows in a directory, in the order they were put there. */
export function childrenOf({ firsts, nexts, parents }: NodeTable, directory: number): number[] {
  const rows: number[] = [];
  for (let row = firsts[directory] as number; row !== NONE; row = nexts[row] as number) {
    if (parents[row] === directory) rows.push(row);
  }
  return rows;
}

/** Leaves in a directory's list what `stays` says and is there; the rest is taken out. */
export function retainChildren(table: NodeTable, directory: number, stays: (row: number) => boolean): void {
  const kept = childrenOf(table, directory).filter((row) => {
    if (stays(row)) return true;
    removeRow(table, row);
    return false;
  });
  table.firsts[directory] = kept[0] ?? NONE;
  table.lasts[directory] = kept.at(-1) ?? NONE;
  kept.forEach((row, i) => {
    table.nexts[row] = kept[i + 1] ?? NONE;
  });
}

function growRows(table: NodeTable): void {
  const room = table.count * 2;
  table.kinds = copied(table.kinds, new Uint8Array(room));
  table.displaced = copied(table.displaced, new Uint8Array(room));
  table.indexed = copied(table.indexed, new Uint8Array(room));
  table.nameStarts = copied(table.nameStarts, new Uint32Array(room));
  table.nameEnds = copied(table.nameEnds, new Uint32Array(room));
  for (const name of INT_COLUMNS) table[name] = copied(table[name], none(room));
}

/** Filled at once: row by row it takes longer than the rest of a row. */
function none(room: number): Int32Array {
  return new Int32Array(room).fill(NONE);
}

function copied<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

function reserveNames(table: NodeTable, length: number): void {
  if (table.namesEnd + length <= table.names.length) return;
  const bytes = Buffer.allocUnsafeSlow(Math.max(table.names.length * 2, table.namesEnd + length + 4096));
  bytes.set(table.names.subarray(0, table.namesEnd));
  table.names = bytes;
}
