// The merged tree of a stack of layers, from their headers alone.
import { OciError } from '../errors.ts';
import { readLayers } from './layer-pool.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { applyLayer } from './merge.ts';
import type { LayerResult } from './read-layer.ts';
import { emptyTree, type Tree } from './tree.ts';

export interface ReadTreeResult {
  tree: Tree;
  /** One per layer, in the order given. */
  layers: LayerStats[];
}

/**
 * The merged tree of `layers` (lowest first). Reads every layer to its end, checking diff IDs, but writes nothing.
 *
 * Throws LAYER_INVALID, LAYER_REFUSED, LIMIT_EXCEEDED, DIFF_ID_MISMATCH, ABORTED; with `verifyBlob` also
 * DIGEST_MISMATCH and SIZE_MISMATCH.
 */
export async function readTree(
  layers: readonly LayerSource[],
  options: ReadLayersOptions = {},
): Promise<ReadTreeResult> {
  const results = await readLayers(layers, options, () => undefined);
  return { tree: mergeLayers(layers, results), layers: results.map(({ stats }) => stats) };
}

/**
 * The tree the layers amount to. `onLayer` sees it as it stands after each. Throws LAYER_INVALID and LAYER_REFUSED,
 * naming the layer.
 */
export function mergeLayers(
  layers: readonly LayerSource[],
  results: readonly LayerResult[],
  onLayer?: (tree: Tree, layer: number) => void,
): Tree {
  const tree = emptyTree();
  results.forEach(({ log }, index) => {
    try {
      applyLayer(tree, log);
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      const { code, message, hint, cause } = error;
      throw new OciError(code, `layer ${layers[index]?.descriptor.digest}: ${message}`, { hint, cause });
    }
    onLayer?.(tree, index);
  });
  return tree;
}
