// The layers of an image with the indexes the store keeps of them, or will.
import { layerIndexPath } from '../blobstore/layer-index-files.ts';
import { indexFile } from '../rootfs/layer-index.ts';
import type { LayerSource } from '../rootfs/layer-source.ts';
import type { Client } from './client.ts';
import type { LocalImage } from './open-layers.ts';

/** The image's layers; those of an archive, whose blobs nobody has checked, as they are. */
export async function withIndexes(client: Client, image: LocalImage): Promise<LayerSource[]> {
  if (image.from === 'archive') return image.layers;
  const { dir, readOnly } = await client.store();
  if (readOnly) return image.layers;
  return image.layers.map((layer) => ({
    ...layer,
    index: indexFile(layerIndexPath(dir, layer.descriptor.digest), layer.descriptor.digest),
  }));
}
