// The merged tree of a stack of layers, from their indexes or else their headers.
import { OciError } from '../errors.ts';
import { checkImage } from '../layer/image-share.ts';
import { layerLimits } from '../layer/limits.ts';
import { type LayerIndex, usableIndex } from './layer-index.ts';
import { readLayers } from './layer-pool.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { createMerge } from './merge.ts';
import { viewOf } from './merged-tree.ts';
import { createNodeTable } from './node-table.ts';
import type { LayerResult } from './read-layer.ts';
import type { Tree } from './tree.ts';

export interface ReadTreeResult {
  tree: Tree;
  /** One per layer, in the order given. */
  layers: LayerStats[];
}

/**
 * The merged tree of `layers` (lowest first), from their indexes; a layer without one is read to its end, its diff ID
 * checked, and has one then.
 *
 * Throws LAYER_INVALID, LAYER_REFUSED, LIMIT_EXCEEDED, DIFF_ID_MISMATCH, ABORTED; with `verifyBlob` also
 * DIGEST_MISMATCH and SIZE_MISMATCH.
 */
export async function readTree(
  layers: readonly LayerSource[],
  options: ReadLayersOptions = {},
): Promise<ReadTreeResult> {
  const results = await readLogs(layers, options);
  return { tree: mergeLayers(layers, results), layers: results.map(({ stats }) => stats) };
}

/** The entries of a layer and what else is known of it. */
export type LayerLog = Pick<LayerResult, 'log' | 'stats'>;

/** The entries of every layer, in the order given. Throws as `readTree`. */
export async function readLogs(
  layers: readonly LayerSource[],
  options: ReadLayersOptions = {},
): Promise<LayerLog[]> {
  const limits = layerLimits(options.limits);
  const known = layers.map((layer) => usableIndex(layer, limits));
  const unknown = layers.filter((_, i) => known[i] === undefined);
  const read = unknown.length === 0 ? [] : await readLayers(unknown, options, () => undefined);
  const logs = known.map((index) => index ?? (read.shift() as LayerResult));
  if (unknown.length < layers.length) {
    // What was read has kept the limits by itself; this is about all layers together.
    const sum = (use: (index: LayerIndex | undefined, stats: LayerStats) => number): number =>
      logs.reduce((all, { stats }, i) => all + use(known[i], stats), 0);
    const bytes = sum((index, stats) => Math.max(stats.unpackedSize, index?.use.fileBytes ?? 0));
    checkImage({ bytes, entries: sum((index, stats) => index?.use.headers ?? stats.entries) }, limits);
  }
  return logs;
}

/**
 * The tree the layers amount to. `onLayer` sees it as it stands after each, and must be done with it before the next.
 * Throws LAYER_INVALID and LAYER_REFUSED, naming the layer.
 */
export function mergeLayers(
  layers: readonly LayerSource[],
  results: readonly Pick<LayerResult, 'log'>[],
  onLayer?: (tree: Tree, layer: number) => void,
): Tree {
  // Some directories are declared by nobody.
  const entries = results.reduce((sum, { log }) => sum + log.count, 0);
  const table = createNodeTable(entries + (entries >>> 5) + 64);
  const applyLayer = createMerge(table);
  results.forEach(({ log }, index) => {
    try {
      applyLayer(log);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      const { code, message, hint, cause } = error;
      throw new OciError(code, `layer ${layers[index]?.descriptor.digest}: ${message}`, { hint, cause });
    }
    onLayer?.(viewOf(table), index);
  });
  return viewOf(table);
}
