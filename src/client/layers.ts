// Layers: what an image is made of, what each part weighs, which instruction made it, and who else has it.
import { sharersOf } from '../blobstore/sharers.ts';
import { layerHistory } from '../manifest/history.ts';
import type { Digest } from '../reference/digest.ts';
import { type FileSum, type LayerFiles, readLayerFiles, type WastedPath } from '../rootfs/layer-files.ts';
import type { LayerStats } from '../rootfs/layer-source.ts';
import type { Client } from './client.ts';
import { type OpenedImage, openImage } from './open-image.ts';
import { openLayers, rememberLayers } from './open-layers.ts';
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
  /** Bytes in those files; known with `files`. */
  fileBytes: number | undefined;
  /** What of them a layer above replaced or deleted; known with `files`. */
  wasted: FileSum | undefined;
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
  /** Known with `files`. */
  waste: ImageWaste | undefined;
}

/** Bytes in the layers that nobody can see any more. */
export interface ImageWaste extends FileSum {
  /** From 0 to 1: the least each path ever weighed, over all that was written to it, as dive counts. */
  efficiency: number;
  /** Where they are, what weighs most first. */
  paths: WastedPath[];
}

/** Options of `layers`. */
export interface LayersOptions {
  /** Read the layers where their unpacked size is not known yet, pulling them if need be. */
  read?: boolean | undefined;
  /** Read all layers, pulling them if need be, and tell what their files weigh and what of that is wasted. */
  files?: boolean | undefined;
}

/** An image with what reading its layers told, one of each per layer. */
interface ReadImage {
  opened: OpenedImage;
  stats?: LayerStats[];
  files?: LayerFiles[];
  waste?: ImageWaste;
}

/** What `image` is made of. Throws what opening the image throws. */
export async function layers(
  client: Client,
  image: string,
  options: LayersOptions = {},
): Promise<ImageLayers> {
  const { opened, stats, files, waste } = await read(client, image, options);
  try {
    const { manifest, config, name, descriptor } = opened;
    const store = await client.store();
    const history = layerHistory(manifest, config);
    const digests = manifest.layers.map(({ digest }) => digest);
    const sharers = sharersOf(store, digests, opened.root.digest);
    const rows = await Promise.all(
      manifest.layers.map(async (layer, i): Promise<LayerInfo> => {
        const known = stats?.[i] ?? (await store.layerRecord(layer.digest));
        return {
          digest: layer.digest,
          diffId: config.rootfs.diff_ids[i],
          mediaType: layer.mediaType,
          size: layer.size,
          unpackedSize: known?.unpackedSize,
          files: known?.files,
          fileBytes: files?.[i]?.bytes,
          wasted: files?.[i]?.wasted,
          instruction: history[i]?.instruction,
          sharedWith: sharers.get(layer.digest) ?? [],
        };
      }),
    );
    return { name, digest: descriptor.digest, layers: rows, waste };
  } finally {
    await opened.close();
  }
}

/** Opens the image and reads as much of it as the options ask for. */
async function read(client: Client, image: string, options: LayersOptions): Promise<ReadImage> {
  if (options.files === true) return readFiles(client, image);
  if (options.read !== true) return { opened: await openImage(client, image) };
  const tree = await openTree(client, image);
  return { opened: tree.image, stats: tree.stats };
}

async function readFiles(client: Client, image: string): Promise<ReadImage> {
  const opened = await openLayers(client, image);
  try {
    const { layers, efficiency, wasted, paths, stats } = await readLayerFiles(opened.layers, {
      signal: client.signal,
      verifyBlob: opened.unverified,
      limits: client.limits,
    });
    await rememberLayers(client, opened, stats);
    return { opened, stats, files: layers, waste: { efficiency, ...wasted, paths } };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
