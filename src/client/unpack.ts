// Unpack: an image's root file system in a directory of this machine.
import type { Digest } from '../reference/digest.ts';
import type { LayerStats } from '../rootfs/layer-source.ts';
import { type UnpackOptions as EngineOptions, unpack as unpackLayers } from '../rootfs/unpack.ts';
import type { Client } from './client.ts';
import { openLayers, rememberLayers } from './open-layers.ts';

/** Options of `unpack`. */
export type UnpackOptions = Pick<EngineOptions, 'force' | 'limits' | 'ownership' | 'workers'>;

/** What was unpacked. */
export interface UnpackedImage {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
  destination: string;
  /** Lowest first. */
  layers: LayerStats[];
  /** What could not be done as the image says; one line each. */
  warnings: string[];
}

/**
 * Writes the image's root file system to `destination`, which appears whole at the end or not at all.
 * Throws DESTINATION_NOT_EMPTY, LAYER_INVALID, LAYER_REFUSED, DIFF_ID_MISMATCH, LIMIT_EXCEEDED, DISK_FULL, PERMISSION,
 * and what opening the image throws.
 */
export async function unpack(
  client: Client,
  image: string,
  destination: string,
  options: UnpackOptions = {},
): Promise<UnpackedImage> {
  const limits = { ...client.limits, ...options.limits };
  const opened = await openLayers({ ...client, limits }, image);
  try {
    for (const { descriptor } of opened.layers) client.onProgress?.({ type: 'queued', descriptor });
    const { layers, warnings } = await unpackLayers(opened.layers, destination, {
      signal: client.signal,
      onProgress: client.onProgress,
      verifyBlob: opened.unverified,
      ...options,
      limits,
    });
    await rememberLayers(client, opened, layers);
    return { name: opened.name, digest: opened.descriptor.digest, destination, layers, warnings };
  } finally {
    await opened.close();
  }
}
