// What each layer's files weigh, and how much of that nobody can see any more because a layer above replaced or
// deleted them: bytes every pull pays for.
import { baseOf } from '../layer/entry-path.ts';
import { whiteoutOf } from '../layer/whiteout.ts';
import { efficiencyOf } from './efficiency.ts';
import { type EntryLog, KINDS, pathsOf } from './entry-log.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { mergeLayers, readLogs } from './read-tree.ts';
import { inodeOf, type Tree, type TreeNode, textOf } from './tree.ts';

/** Regular files, and the bytes in them. */
export interface FileSum {
  files: number;
  bytes: number;
}

/** One layer's files. */
export interface LayerFiles extends FileSum {
  /** Those of them that are not in the merged tree. */
  wasted: FileSum;
}

/** Copies of a file that nobody can see. */
export interface WastedPath extends FileSum {
  /** As the layers write it, absolute, text. */
  path: string;
}

export interface LayerFilesReport {
  /** One per layer, in the order given. */
  layers: LayerFiles[];
  /** From 0 to 1, as dive counts it (efficiency.ts). */
  efficiency: number;
  /** Of all layers. */
  wasted: FileSum;
  /** Where the waste is, what weighs most first. */
  paths: WastedPath[];
  stats: LayerStats[];
}

/** Reads the layers and weighs their files. Throws as `readTree`. */
export async function readLayerFiles(
  layers: readonly LayerSource[],
  options: ReadLayersOptions = {},
): Promise<LayerFilesReport> {
  const results = await readLogs(layers, options);
  const logs = results.map(({ log }) => log);
  const visible = visibleFiles(mergeLayers(layers, results), logs);
  const waste = new Map<string, FileSum>();
  const sums = logs.map((log, layer) => sumFiles(log, visible[layer] as Uint8Array, waste));
  return {
    layers: sums,
    efficiency: efficiencyOf(logs),
    wasted: {
      files: sums.reduce((sum, { wasted }) => sum + wasted.files, 0),
      bytes: sums.reduce((sum, { wasted }) => sum + wasted.bytes, 0),
    },
    paths: [...waste]
      .map(([path, sum]) => ({ path: `/${textOf(path)}`, ...sum }))
      .sort((a, b) => b.bytes - a.bytes || (a.path < b.path ? -1 : 1)),
    stats: results.map(({ stats }) => stats),
  };
}

/** By layer and entry, 1 where the file has a name in the tree. */
function visibleFiles(tree: Tree, logs: readonly EntryLog[]): Uint8Array[] {
  const visible = logs.map(({ count }) => new Uint8Array(count));
  const mark = (directory: TreeNode): void => {
    for (const child of directory.children?.values() ?? []) {
      if (child.kind === 'directory') mark(child);
      else if (child.kind === 'file') {
        const { layer, entry } = inodeOf(child);
        (visible[layer] as Uint8Array)[entry] = 1;
      }
    }
  };
  mark(tree.root);
  return visible;
}

/** Adds up one layer, and into `waste`, by path, what of it is hidden. */
function sumFiles(log: EntryLog, visible: Uint8Array, waste: Map<string, FileSum>): LayerFiles {
  const { count, kinds, sizes } = log;
  const sum: LayerFiles = { files: 0, bytes: 0, wasted: { files: 0, bytes: 0 } };
  const pathOf = pathsOf(log);
  for (let entry = 0; entry < count; entry++) {
    const path = pathOf(entry);
    if (KINDS[kinds[entry] as number] !== 'file' || whiteoutOf(baseOf(path)) !== undefined) continue;
    const size = sizes[entry] as number;
    add(sum, size);
    if (visible[entry] === 1) continue;
    add(sum.wasted, size);
    const known = waste.get(path);
    if (known === undefined) waste.set(path, { files: 1, bytes: size });
    else add(known, size);
  }
  return sum;
}

function add(sum: FileSum, bytes: number): void {
  sum.files++;
  sum.bytes += bytes;
}
