import { OciError } from '../errors.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import type { Tree } from './tree.ts';

export interface UnpackOptions extends ReadLayersOptions {
  /** Replace what is at the destination. Default false: the destination must be absent or an empty directory. */
  force?: boolean | undefined;
}

export interface UnpackResult {
  tree: Tree;
  layers: LayerStats[];
  /** What could not be done as the image says (one line each, also sent as 'warning' progress events). */
  warnings: string[];
}

/**
 * Writes the merged tree of `layers` to the directory `destination`, which appears whole at the end or not at all.
 *
 * Throws DESTINATION_NOT_EMPTY, DISK_FULL, PERMISSION, IO and what `readTree` throws.
 */
export async function unpack(
  _layers: readonly LayerSource[],
  _destination: string,
  _options: UnpackOptions = {},
): Promise<UnpackResult> {
  throw new OciError('UNSUPPORTED', 'not written yet');
}
