// What whiteouts take away: names of lower layers, wherever in its layer the whiteout stands.
import type { EntryLog } from './entry-log.ts';
import { childrenOf, DIRECTORY, type NodeTable, retainChildren } from './node-table.ts';

/**
 * Takes everything of layers below `layer` out of a directory. Once per directory and layer: nothing lower comes back.
 */
export function purge(table: NodeTable, directory: number, layer: number): void {
  if (table.purges[directory] === layer) return;
  table.purges[directory] = layer;
  retainChildren(table, directory, (row) => survives(table, row, layer));
}

/** True when a whiteout leaves a row, because its layer put it there, or something into it; it is purged then. */
export function survives(table: NodeTable, row: number, layer: number): boolean {
  if (table.kinds[row] !== DIRECTORY) return table.layers[row] === layer;
  purge(table, row, layer);
  if (table.layers[row] === layer) return true;
  if (childrenOf(table, row).length === 0) return false;
  // The directory itself is gone with the lower layer; what this layer put into it implies a new one.
  const { mtimes, mtimeNanos } = table.logs[table.layers[row] as number] as EntryLog;
  const entry = table.entries[row] as number;
  if (entry !== -1) table.times.set(row, [mtimes[entry] as number, mtimeNanos[entry] as number]);
  table.layers[row] = layer;
  table.entries[row] = -1;
  return true;
}
