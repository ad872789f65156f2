// An image whose layers are files on this machine: from the store, from an archive as it lies, or
// on their way from a registry into the store while they are read.
import { layerIndexPath } from '../blobstore/layer-index-files.ts';
import { OciError } from '../errors.ts';
import { checkImage } from '../layer/image-share.ts';
import { layerLimits } from '../layer/limits.ts';
import { isLayerType } from '../manifest/media-types.ts';
import { hasLocalBlobs } from '../place/place.ts';
import { indexFile } from '../rootfs/layer-index.ts';
import type { LayerSource, LayerStats } from '../rootfs/layer-source.ts';
import { startCopy, withDocumentsKept } from './arriving.ts';
import type { Client } from './client.ts';
import { type OpenedImage, openImage } from './open-image.ts';

/** An image ready to be read file by file. Close it. */
export interface LocalImage extends OpenedImage {
  /** Lowest first. */
  layers: LayerSource[];
  /** True when nobody checked the blobs' digests on the way in. */
  unverified: boolean;
}

/**
 * Opens `image` with its layers at hand. What only a registry has is pulled into the store from now on: `readTree` and
 * `unpack` follow it, and when they are done so is the pull.
 */
export async function openLayers(client: Client, image: string): Promise<LocalImage> {
  const opened = await openImage(client, image, { bring: (remote) => withDocumentsKept(client, remote) });
  try {
    const { source, manifest, config } = opened;
    const odd = manifest.layers.find((layer) => !isLayerType(layer.mediaType));
    if (odd !== undefined) {
      throw new OciError('UNSUPPORTED', `${opened.name} is no container image: it holds ${odd.mediaType}`, {
        hint: 'it is an artifact; see what it is with: ocitool inspect --raw',
      });
    }
    // What is larger on the wire than it may be unpacked need not come at all.
    const bytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
    checkImage({ bytes, entries: 0 }, layerLimits(client.limits));
    if (opened.from === 'registry') {
      const { layers, close } = await startCopy(client, opened);
      return { ...opened, layers: await withIndexes(client, layers), close, unverified: false };
    }
    if (!hasLocalBlobs(source)) throw new Error(`${opened.name}: a place with files was expected`);
    const layers = await Promise.all(
      manifest.layers.map(async (descriptor, i) => ({
        descriptor,
        location: await source.locate(descriptor),
        diffId: config.rootfs.diff_ids[i],
      })),
    );
    // Nobody has checked an archive's blobs, so nothing is kept of them.
    if (opened.from === 'archive') return { ...opened, layers, unverified: true };
    return { ...opened, layers: await withIndexes(client, layers), unverified: false };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The layers with the indexes the store keeps of them, or will. */
async function withIndexes(client: Client, layers: LayerSource[]): Promise<LayerSource[]> {
  const { dir, readOnly } = await client.store();
  if (readOnly) return layers;
  return layers.map((layer) => {
    const { digest } = layer.descriptor;
    return { ...layer, index: indexFile(layerIndexPath(dir, digest), digest) };
  });
}

/** Keeps what reading the layers told, so that `layers` can say it without reading them again. A convenience, never a failure. */
export async function rememberLayers(client: Client, image: LocalImage, stats: LayerStats[]): Promise<void> {
  if (image.from === 'archive') return;
  const store = await client.store();
  if (store.readOnly) return;
  for (const { digest, diffId, unpackedSize, entries, files } of stats) {
    await store.saveLayerRecord({ digest, diffId, unpackedSize, entries, files }).catch(() => {});
  }
}
