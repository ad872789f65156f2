// Inspect: what an image is and how it runs, without its layers.
import type { ImageConfig, RunConfig } from '../manifest/config.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { formatPlatform } from '../manifest/platform.ts';
import type { Digest } from '../reference/digest.ts';
import { attestationsOf, type ImageAttestation, readAttestations } from './attestations.ts';
import type { Client } from './client.ts';
import { openImage } from './open-image.ts';

/** What is known of an image. */
export interface ImageInfo {
  name: string;
  /** Digest of what the name stands for. */
  digest: Digest;
  mediaType: string;
  /** Digest of the platform's manifest; the same as `digest` for a single-platform image. */
  manifestDigest: Digest;
  /** The image ID, as docker calls it. */
  configDigest: Digest;
  platform: string;
  /** Every platform there is, attestations left out. */
  platforms: string[];
  created: string | undefined;
  author: string | undefined;
  config: RunConfig;
  /** Bytes of config and layers as transferred. */
  size: number;
  layers: { digest: Digest; mediaType: string; size: number }[];
  annotations: Record<string, string>;
  /** What the index carries about this platform: SBOM, provenance. */
  attestations: ImageAttestation[];
}

export interface InspectOptions {
  /** Read and decode the attestations: a manifest request each, and their blobs. Default false: only their digests. */
  attestations?: boolean | undefined;
}

/** Describes `image`. Throws what opening the image throws. */
export async function inspect(
  client: Client,
  image: string,
  options: InspectOptions = {},
): Promise<ImageInfo> {
  const opened = await openImage(client, image);
  try {
    const { name, root, index, descriptor, manifest, config } = opened;
    const own = platformOf(config);
    return {
      name,
      digest: root.digest,
      mediaType: root.mediaType,
      manifestDigest: descriptor.digest,
      configDigest: manifest.config.digest,
      platform: own,
      platforms: index === undefined ? [own] : platformsOf(index.manifests),
      created: config.created,
      author: config.author,
      config: config.config,
      size: [manifest.config, ...manifest.layers].reduce((sum, { size }) => sum + size, 0),
      layers: manifest.layers.map(({ digest, mediaType, size }) => ({ digest, mediaType, size })),
      annotations: { ...index?.annotations, ...manifest.annotations },
      attestations: options.attestations
        ? await readAttestations(client, opened)
        : attestationsOf(opened).map(({ digest, size }) => ({ digest, size })),
    };
  } finally {
    await opened.close();
  }
}

function platformOf(config: ImageConfig): string {
  return formatPlatform(config);
}

function platformsOf(entries: Descriptor[]): string[] {
  return entries.flatMap(({ platform }) =>
    platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)],
  );
}
