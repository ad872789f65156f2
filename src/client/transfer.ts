// Copies opened images to an opened destination: what push, copy, save and load have in common.
import { type CopierOptions, type CopyResult, createCopier } from '../copy/copier.ts';
import type { Selection } from '../copy/graph.ts';
import { copyReferrers, type ReferrersRequest } from '../copy/referrers.ts';
import { OciError } from '../errors.ts';
import type { Platform } from '../manifest/descriptor.ts';
import { parsePlatform } from '../manifest/platform.ts';
import type { ImageSource } from '../place/place.ts';
import type { TransferVerb } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import type { OpenedDestination } from './open-destination.ts';
import { openImage } from './open-image.ts';
import { type OpenedSource, openSource } from './open-source.ts';

/** Which platforms to take. Default: all that the source has. */
export interface PlatformOptions {
  /**
   * Only these (`linux/amd64`): an index is written anew for them, attestations of theirs included. Several are refused
   * where an archive takes one.
   */
  platforms?: readonly string[] | undefined;
  /** All of the index, or BLOB_NOT_FOUND; what is copied has the same digest. */
  allPlatforms?: boolean | undefined;
}

export interface TransferOptions extends PlatformOptions {
  /** Also what refers to the image: signatures, SBOMs, attestations. Default false. */
  referrers?: boolean | undefined;
  /** Blobs in flight. Default 6. */
  concurrency?: number | undefined;
}

/** One image copied. */
export interface CopiedImage extends CopyResult {
  /** What refers to it and is there now; set when it was asked for. */
  referrers?: Digest[] | undefined;
  /** The image as people write it. */
  name: string;
  /** What it is called now. */
  reference: Reference;
}

/** The part of an image that the options ask for, else the client. Throws USAGE, INVALID_PLATFORM. */
export async function selectionOf(client: Client, options: PlatformOptions): Promise<Selection> {
  const platforms = await platformsOf(client, options);
  if (platforms !== undefined && options.allPlatforms === true) {
    throw new OciError('USAGE', '--platform and --all-platforms exclude each other');
  }
  if (options.allPlatforms === true) return { allPlatforms: true };
  if (platforms === undefined) return { held: true, index: 'rewritten' };
  return { platform: platforms, index: 'rewritten' };
}

async function platformsOf(client: Client, { platforms }: PlatformOptions): Promise<Platform[] | undefined> {
  if (platforms !== undefined) return platforms.map((text) => parsePlatform(text));
  const platform = await client.platform();
  return platform && [platform];
}

/** Copies one after the other, so that the same images give the same archive; the destination is then complete, or gone. */
export async function transfer(
  client: Client,
  images: readonly string[],
  destination: OpenedDestination,
  { verb, open = openSource, ...options }: TransferOptions & { verb: TransferVerb; open?: typeof openSource },
): Promise<CopiedImage[]> {
  const { onProgress, signal } = client;
  const copier = createCopier(destination.target, {
    onProgress,
    signal,
    verb,
    concurrency: options.concurrency,
  });
  const copied: CopiedImage[] = [];
  try {
    const selection = await selectionOf(client, options);
    for (const image of images) {
      const opened = destination.singlePlatform
        ? await openOnePlatform(client, image, options)
        : await open(client, image, { cheap: true });
      try {
        const as = await destination.nameFor(opened);
        const chosen: Selection = destination.singlePlatform ? { allPlatforms: true } : selection;
        const name = opened.reference ?? as;
        const result = await copier.copy(startingAt(opened), name, { ...chosen, as });
        const { source, root } = opened;
        const request = { source, root, target: destination.target, copied: result, name, as };
        const all =
          options.referrers === true ? await withReferrers(request, { onProgress, signal, verb }) : result;
        copied.push({ name: opened.name, reference: as, ...all });
      } finally {
        await opened.close();
      }
    }
    await destination.finish();
  } catch (error) {
    await destination.discard();
    throw error;
  }
  return copied;
}

/** What was copied, with what refers to it copied as well. */
export async function withReferrers(
  request: ReferrersRequest,
  options: CopierOptions,
): Promise<CopyResult & { referrers: Digest[] }> {
  const { copied } = request;
  const { referrers, transferred, reused } = await copyReferrers(request, options);
  return {
    ...copied,
    referrers,
    transferred: copied.transferred + transferred,
    reused: copied.reused + reused,
  };
}

/** The image for one platform, without the index around it. */
async function openOnePlatform(
  client: Client,
  image: string,
  options: TransferOptions,
): Promise<OpenedSource> {
  if (options.referrers === true) {
    throw new OciError('USAGE', `${image}: a docker-archive holds no referrers`, {
      hint: 'use oci-archive: for them',
    });
  }
  const platforms = await platformsOf(client, options);
  if (options.allPlatforms === true || (platforms?.length ?? 0) > 1) {
    throw new OciError('USAGE', `${image}: a docker-archive holds one platform of an image`, {
      hint: 'use oci-archive: for several',
    });
  }
  const opened = await openImage({ ...client, platform: async () => platforms?.[0] }, image);
  const { source, descriptor: root } = opened;
  return { ...opened, root, source: { ...source, resolve: async () => root } };
}

/** The place with its image found already: a registry is not asked twice. Its other powers stay. */
function startingAt({ source, root, from }: OpenedSource): ImageSource {
  return {
    ...source,
    resolve: async (name, options) =>
      from === 'registry' && options?.cheap !== true ? source.resolve(name, options) : root,
  };
}

/** `alpine:3.20`, or as it is written where it has no tag. */
export function nameText({ reference, name }: CopiedImage): string {
  return reference.tag === undefined ? name : familiarReference(reference);
}
