// Layers: what an image is made of, what each part weighs, which instruction made it, and who else has it.
import { listImages } from '../blobstore/images.ts';
import { layerHistory } from '../manifest/history.ts';
import type { Digest } from '../reference/digest.ts';
import type { Client } from './client.ts';
import { type OpenedImage, openImage } from './open-image.ts';
import { openTree } from './open-tree.ts';

/** One layer of an image. */
export interface LayerInfo {
  digest: Digest;
  diffId: Digest | undefined;
  mediaType: string;
  /** Bytes as transferred. */
  size: number;
  /** Bytes of the uncompressed tar; undefined until the layer was read once. */
  unpackedSize: number | undefined;
  /** Regular files; undefined until the layer was read once. */
  files: number | undefined;
  /** The Dockerfile instruction, as far as history tells. */
  instruction: string | undefined;
  /** Names of other stored images that have this layer. */
  sharedWith: string[];
}

/** An image's layers, lowest first. */
export interface ImageLayers {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
  layers: LayerInfo[];
}

/** Options of `layers`. */
export interface LayersOptions {
  /** Read the layers where their unpacked size is not known yet, pulling them if need be. */
  read?: boolean | undefined;
}

/** What `image` is made of. Throws what opening the image throws. */
export async function layers(
  client: Client,
  image: string,
  options: LayersOptions = {},
): Promise<ImageLayers> {
  if (options.read === true) await (await openTree(client, image)).close();
  const opened = await openImage(client, image);
  try {
    const { manifest, config, name, descriptor } = opened;
    const store = await client.store();
    const history = layerHistory(manifest, config);
    const sharers = await sharedLayers(client, opened);
    const rows = await Promise.all(
      manifest.layers.map(async (layer, i): Promise<LayerInfo> => {
        const record = await store.layerRecord(layer.digest);
        return {
          digest: layer.digest,
          diffId: config.rootfs.diff_ids[i],
          mediaType: layer.mediaType,
          size: layer.size,
          unpackedSize: record?.unpackedSize,
          files: record?.files,
          instruction: history[i]?.instruction,
          sharedWith: sharers.get(layer.digest) ?? [],
        };
      }),
    );
    return { name, digest: descriptor.digest, layers: rows };
  } finally {
    await opened.close();
  }
}

/** For each layer of the image, the other names in the store whose images hold it. */
async function sharedLayers(client: Client, opened: OpenedImage): Promise<Map<Digest, string[]>> {
  const sharers = new Map<Digest, string[]>(opened.manifest.layers.map((layer) => [layer.digest, []]));
  for (const { name, descriptor, blobs } of await listImages(await client.store())) {
    if (name === undefined || descriptor.digest === opened.root.digest) continue;
    for (const digest of blobs) sharers.get(digest)?.push(name);
  }
  return sharers;
}
