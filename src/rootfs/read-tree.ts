import { OciError } from '../errors.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import type { Tree } from './tree.ts';

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
export async function readTree(_layers: readonly LayerSource[], _options: ReadLayersOptions = {}): Promise<ReadTreeResult> {
  throw new OciError('UNSUPPORTED', 'not written yet');
}
