// Layers to a directory. Everything is built in a private folder next to the destination (staging.ts) and appears by
// one rename: files are written by the workers while they inflate, then the merged tree decides what goes where.

import { throwIfAborted } from '../errors.ts';
import { readLayers } from './layer-pool.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { placeTree } from './place.ts';
import type { LayerResult } from './read-layer.ts';
import { mergeLayers } from './read-tree.ts';
import type { Losses } from './special-files.ts';
import { openStaging } from './staging.ts';
import type { Tree } from './tree.ts';

export interface UnpackOptions extends ReadLayersOptions {
  /** Replace what is at the destination. Default false: the destination must be absent or an empty directory. */
  force?: boolean | undefined;
}

export interface UnpackResult {
  tree: Tree;
  /** One per layer, in the order given. */
  layers: LayerStats[];
  /** What could not be done as the image says (one line each, also sent as 'warning' progress events). */
  warnings: string[];
}

/**
 * Writes the merged tree of `layers` (lowest first) to the directory `destination`, which appears whole at the end or
 * not at all. As root with owners and device nodes; as anybody else without, and a warning says how many.
 *
 * Throws DESTINATION_NOT_EMPTY, DISK_FULL, PERMISSION, IO and what `readTree` throws.
 */
export async function unpack(
  layers: readonly LayerSource[],
  destination: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  const staging = openStaging(destination, options.force ?? false);
  try {
    const stages = layers.map((_, index) => `${staging.folder}/${index}`);
    const results = await readLayers(layers, options, (index) => stages[index]);
    const tree = mergeLayers(layers, results);
    throwIfAborted(options.signal);
    const losses = placeTree(tree, results, stages, staging.rootfs);
    staging.publish();
    const warnings = warningsOf(losses, results);
    for (const message of warnings) options.onProgress?.({ type: 'warning', message });
    return { tree, layers: results.map(({ stats }) => stats), warnings };
  } finally {
    staging.remove();
  }
}

function warningsOf(losses: Losses, results: readonly LayerResult[]): string[] {
  const owners = results.reduce((sum, { ownersLost }) => sum + ownersLost, losses.owners);
  const { devices, xattrs } = losses;
  const warnings = [];
  if (owners > 0)
    warnings.push(
      `${owners} ${plural(owners, 'entry is', 'entries are')} owned by you, not by whom the image says: changing owners needs root`,
    );
  if (devices > 0)
    warnings.push(
      `${devices} device ${plural(devices, 'node was', 'nodes were')} left out: making them needs root`,
    );
  if (xattrs > 0)
    warnings.push(
      `${xattrs} extended ${plural(xattrs, 'attribute was', 'attributes were')} left out: this file system or user cannot have them`,
    );
  return warnings;
}

function plural(count: number, one: string, many: string): string {
  return count === 1 ? one : many;
}
