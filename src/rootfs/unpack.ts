// Layers to a directory. Everything is built in a private folder next to the destination (staging.ts) and appears by
// one rename: files are written by the workers while they inflate, then the merged tree decides what goes where.

import { throwIfAborted } from '../errors.ts';
import { readLayers } from './layer-pool.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { placeTree } from './place.ts';
import { mergeLayers } from './read-tree.ts';
import { type OwnershipRecord, recordOwnership } from './record-ownership.ts';
import { openStaging, type Staging } from './staging.ts';
import { bytesOf, type Tree } from './tree.ts';
import { unpackWarnings } from './unpack-warnings.ts';

export interface UnpackOptions extends ReadLayersOptions {
  /** Replace what is at the destination. Default false: the destination must be absent or an empty directory. */
  force?: boolean | undefined;
  /**
   * `apply` (the default): owners and devices as far as this user may. `record`, for a user who may not: everything is
   * the caller's, and attributes say whose it is in the image (ownership-record.ts).
   */
  ownership?: 'apply' | 'record' | undefined;
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
    const stages = layers.map((_, index) => bytesOf(`${staging.folder}/${index}`));
    const results = await readLayers(layers, options, (index) => stages[index]);
    const tree = mergeLayers(layers, results);
    throwIfAborted(options.signal);
    const rootfs = bytesOf(staging.rootfs);
    const losses = placeTree(tree, results, stages, rootfs);
    for (const { ownersLost } of results) losses.owners += ownersLost;
    const record = options.ownership === 'record' ? recordOwnership(tree, rootfs) : undefined;
    const recordFile = record === undefined ? undefined : keepAside(record, staging);
    staging.publish();
    const warnings = unpackWarnings(losses, record, recordFile);
    for (const message of warnings) options.onProgress?.({ type: 'warning', message });
    return { tree, layers: results.map(({ stats }) => stats), warnings };
  } finally {
    staging.remove();
  }
}

/** Writes what no attribute could hold beside the destination; returns where. */
function keepAside({ aside }: OwnershipRecord, staging: Staging): string | undefined {
  return aside.length === 0 ? undefined : staging.beside('.mtree', ['#mtree', ...aside, ''].join('\n'));
}
