// Where the store keeps the index of a layer: beside its record, and like that gone with its blob. What is in it is
// the business of rootfs/layer-index.ts.
import type { Digest } from '../reference/digest.ts';
import { layerRecordPath, storePaths } from './paths.ts';

/** The file for the index of this layer in the store at `dir`, which need not be there. */
export function layerIndexPath(dir: string, digest: Digest): string {
  return layerRecordPath(storePaths(dir), digest).replace(/json$/, 'idx');
}

/** True for an index among the layer records, whole or on its way. */
export function isLayerIndexName(name: string): boolean {
  return /^(?:sha(?:384|512)-)?[a-f0-9]+\.idx(?:\.|$)/.test(name);
}
