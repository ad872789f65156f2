// One image for one platform: its manifest and config, read and checked against each other, from wherever it is.
import { isOciError, OciError } from '../errors.ts';
import { checkLayersAgainstDiffIds, type ImageConfig, parseConfig } from '../manifest/config.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageIndex, ImageManifest } from '../manifest/document.ts';
import { MAX_INDEX_DEPTH } from '../manifest/limits.ts';
import { isImageConfigType } from '../manifest/media-types.ts';
import { hostPlatform } from '../manifest/platform.ts';
import { selectPlatform } from '../manifest/platform-match.ts';
import type { ImageTarget } from '../place/place.ts';
import { readDocument, readSmall } from '../place/read-document.ts';
import type { Client } from './client.ts';
import { type OpenedSource, openSources } from './open-source.ts';

/** An image of one platform with the place it is in. Close it. */
export interface OpenedImage extends OpenedSource {
  /** The outermost index, when the name stands for one. */
  index: ImageIndex | undefined;
  /** The manifest of the platform chosen. */
  descriptor: Descriptor;
  manifest: ImageManifest;
  config: ImageConfig;
}

/** Options of `openImage`. */
export interface OpenImageOptions {
  /** Brings what only a registry has to where it is wanted, before any of it is read. */
  bring?: ((remote: OpenedSource) => Promise<OpenedSource>) | undefined;
}

/**
 * Opens an image for the client's platform. A store that has the name but not this platform gives way to the registry.
 * Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, MANIFEST_INVALID, CONFIG_INVALID, and what the place throws.
 */
export async function openImage(
  client: Client,
  image: string,
  { bring }: OpenImageOptions = {},
): Promise<OpenedImage> {
  let missing: unknown;
  try {
    for await (const opened of openSources(client, image, { cheap: bring !== undefined })) {
      try {
        const wanted = bring !== undefined && opened.from === 'registry' ? await bring(opened) : opened;
        return { ...wanted, ...(await readImage(client, wanted)) };
      } catch (error) {
        await opened.close();
        if (opened.from !== 'store' || !isOciError(error, 'PLATFORM_NOT_FOUND')) throw error;
        missing = error;
      }
    }
  } catch (error) {
    // The store had the name and named its platforms; that the registry cannot be asked is the lesser news.
    throw missing !== undefined && isOciError(error, 'NETWORK') ? missing : error;
  }
  throw missing;
}

async function readImage(
  client: Client,
  opened: OpenedSource,
): Promise<Pick<OpenedImage, 'index' | 'descriptor' | 'manifest' | 'config'>> {
  const { source, root } = opened;
  let descriptor = root;
  let index: ImageIndex | undefined;
  for (let depth = 0; depth <= MAX_INDEX_DEPTH; depth += 1) {
    const document = await readDocument(source, descriptor, client);
    if (document.kind === 'manifest') {
      const { manifest } = document;
      const config = parseImageConfig(await readSmall(source, manifest.config, client), manifest, opened);
      checkLayersAgainstDiffIds(manifest, config);
      return { index, descriptor, manifest, config };
    }
    index ??= document.index;
    descriptor = await choose(client, opened, document.index);
  }
  throw new OciError('MANIFEST_INVALID', `${opened.name}: indexes nested more than ${MAX_INDEX_DEPTH} deep`);
}

/** Builders give their configs odd types, so the type counts only when the config is none of an image. */
function parseImageConfig(bytes: Buffer, manifest: ImageManifest, { name }: OpenedSource): ImageConfig {
  try {
    return parseConfig(bytes);
  } catch (error) {
    const { artifactType, config } = manifest;
    if (!isOciError(error, 'CONFIG_INVALID') || isImageConfigType(config.mediaType)) throw error;
    throw new OciError(
      'UNSUPPORTED',
      `${name}: an artifact (${artifactType || config.mediaType}), not an image`,
      {
        hint: `its files: ocitool pull --output DIR ${name}; its manifest: ocitool manifest ${name}`,
        cause: error,
      },
    );
  }
}

/** The entry for the platform asked for; without a wish, the store offers what it holds before it says no. */
async function choose(client: Client, opened: OpenedSource, index: ImageIndex): Promise<Descriptor> {
  const asked = await client.platform();
  if (opened.from !== 'store') return selectPlatform(index.manifests, asked ?? hostPlatform(), opened.name);
  const held = await present(await client.store(), index.manifests);
  if (asked === undefined && held.length === 1 && held[0] !== undefined) return held[0];
  return selectPlatform(held, asked ?? hostPlatform(), opened.name);
}

async function present(store: ImageTarget, descriptors: Descriptor[]): Promise<Descriptor[]> {
  const held = await Promise.all(descriptors.map((descriptor) => store.has(descriptor)));
  return descriptors.filter((_, i) => held[i]);
}
