// Finds a name in a directory of the merged tree by its hash: a table of row numbers, and names compared where they lie.
import { randomBytes } from '../random-name.ts';
import type { NodeTable } from './node-table.ts';

/** Below 0 when the row's name comes before the one at `start`, above 0 when after, in the order of their bytes. */
export function compareName(table: NodeTable, row: number, start: number, end: number): number {
  const { names } = table;
  const rowStart = table.nameStarts[row] as number;
  const length = (table.nameEnds[row] as number) - rowStart;
  const both = Math.min(length, end - start);
  for (let i = 0; i < both; i++) {
    const order = (names[rowStart + i] as number) - (names[start + i] as number);
    if (order !== 0) return order;
  }
  return length - (end - start);
}

/** The row of a name in a directory whose rows are in the slots; -1 when it is not there. */
export function findInSlots(table: NodeTable, parent: number, start: number, end: number): number {
  const { slots, hashes, parents } = table;
  const hash = hashName(table, parent, start, end);
  const mask = slots.length - 1;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const held = slots[slot] as number;
    if (held === 0) return -1;
    const row = held - 1;
    if (held < 0 || hashes[row] !== hash || parents[row] !== parent) continue;
    if (compareName(table, row, start, end) === 0) return row;
  }
}

/** At most half of the slots are in use, so that a search is short. */
export function addToSlots(table: NodeTable, row: number): void {
  const { nameStarts, nameEnds, hashes, parents } = table;
  if (++table.slotsUsed * 2 > table.slots.length) rebuildSlots(table);
  const hash = hashName(table, parents[row] as number, nameStarts[row] as number, nameEnds[row] as number);
  hashes[row] = hash;
  occupy(table.slots, hash, row);
}

function rebuildSlots(table: NodeTable): void {
  const old = table.slots;
  const rows = old.filter((held) => held > 0);
  table.slots = new Int32Array(slotsFor(rows.length * 2));
  table.slotsUsed = rows.length + 1;
  for (const held of rows) occupy(table.slots, table.hashes[held - 1] as number, held - 1);
}

export function removeFromSlots({ slots, hashes }: NodeTable, row: number): void {
  const mask = slots.length - 1;
  let slot = (hashes[row] as number) & mask;
  while (slots[slot] !== row + 1) slot = (slot + 1) & mask;
  slots[slot] = -1;
}

/** How many slots are enough for so many rows. */
export function slotsFor(rows: number): number {
  return 2 ** Math.ceil(Math.log2(rows * 2 + 16));
}

function occupy(slots: Int32Array, hash: number, row: number): void {
  const mask = slots.length - 1;
  let slot = hash & mask;
  while (slots[slot] !== 0) slot = (slot + 1) & mask;
  slots[slot] = row + 1;
}

/** Random, so that no archive can be made whose names all fall together. */
const SCATTER = new Int32Array(randomBytes(257 * 4).buffer);

function hashName({ names }: NodeTable, parent: number, start: number, end: number): number {
  let hash = Math.imul(parent ^ (SCATTER[256] as number), 0x9e37_79b1);
  for (let at = start; at < end; at++) {
    hash = Math.imul(hash ^ (SCATTER[names[at] as number] as number), 0x85eb_ca6b);
    hash ^= hash >>> 15;
  }
  return hash;
}
