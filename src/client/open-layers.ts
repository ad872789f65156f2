// An image whose layers are files on this machine: from the store, from an archive as it lies, or pulled first.
import { OciError } from '../errors.ts';
import { isLayerType } from '../manifest/media-types.ts';
import { hasLocalBlobs } from '../place/place.ts';
import type { LayerSource, LayerStats } from '../rootfs/layer-source.ts';
import type { Client } from './client.ts';
import { type OpenedImage, openImage } from './open-image.ts';
import type { OpenedSource } from './open-source.ts';
import { pull } from './pull.ts';

/** An image ready to be read file by file. Close it. */
export interface LocalImage extends OpenedImage {
  /** Lowest first. */
  layers: LayerSource[];
  /** True when nobody checked the blobs' digests on the way in. */
  unverified: boolean;
}

/** Opens `image` with its layers at hand; what only a registry has is pulled into the store first. */
export async function openLayers(client: Client, image: string): Promise<LocalImage> {
  const opened = await openImage(client, image, { bring: (remote) => pulled(client, remote) });
  try {
    const { source, manifest, config } = opened;
    if (!hasLocalBlobs(source)) throw new Error(`${opened.name}: a place with files was expected`);
    const odd = manifest.layers.find((layer) => !isLayerType(layer.mediaType));
    if (odd !== undefined) {
      throw new OciError('UNSUPPORTED', `${opened.name} is no container image: it holds ${odd.mediaType}`, {
        hint: 'it is an artifact; see what it is with: ocitool inspect --raw',
      });
    }
    const layers = await Promise.all(
      manifest.layers.map(async (descriptor, i) => ({
        descriptor,
        location: await source.locate(descriptor),
        diffId: config.rootfs.diff_ids[i],
      })),
    );
    return { ...opened, layers, unverified: opened.from === 'archive' };
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** The same image in the store. Its documents are read there, so that a registry is asked for each only once. */
async function pulled(client: Client, remote: OpenedSource): Promise<OpenedSource> {
  const [image] = await pull(client, remote.name);
  return { ...remote, from: 'store', source: await client.store(), root: image?.root ?? remote.root };
}

/** Keeps what reading the layers told, so that `layers` can say it without reading them again. A convenience, never a failure. */
export async function rememberLayers(client: Client, image: LocalImage, stats: LayerStats[]): Promise<void> {
  if (image.from !== 'store') return;
  const store = await client.store();
  if (store.readOnly) return;
  for (const { digest, diffId, unpackedSize, entries, files } of stats) {
    await store.saveLayerRecord({ digest, diffId, unpackedSize, entries, files }).catch(() => {});
  }
}
