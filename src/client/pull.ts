// Pull: from a registry into the store, and nothing else.
import { type CopyResult, createCopier } from '../copy/copier.ts';
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { warnIfForeign } from './foreign-image.ts';
import { parseName } from './image-argument.ts';
import { withReferrers } from './transfer.ts';

/** Options of `pull`. */
export interface PullOptions {
  /** Everything the index names, attestations included. */
  allPlatforms?: boolean | undefined;
  /** Also what refers to the image: signatures, SBOMs, attestations. Default false. */
  referrers?: boolean | undefined;
  /** Blobs in flight per registry. Default 6. */
  concurrency?: number | undefined;
}

/** One image pulled. */
export interface PulledImage extends CopyResult {
  /** `docker.io/library/alpine:3.20` */
  name: string;
  reference: Reference;
  /** What refers to it and is in the store now; set when it was asked for. */
  referrers?: Digest[] | undefined;
}

/**
 * Pulls images into the client's store, always asking the registry what the name stands for now.
 * Layers that images share are fetched once. Throws the first failure after everything has stopped.
 */
export async function pull(
  client: Client,
  images: string | string[],
  options: PullOptions = {},
): Promise<PulledImage[]> {
  const names = Array.isArray(images) ? images : [images];
  const references = await Promise.all(names.map((image) => parseName(client, image)));
  const platform = await client.platform();
  if (platform !== undefined && options.allPlatforms === true) {
    throw new OciError('USAGE', '--platform and --all-platforms exclude each other');
  }
  const { signal, onProgress } = client;
  const target = await client.store();
  const copier = createCopier(target, { signal, onProgress, concurrency: options.concurrency });
  const jobs = references.map(async (reference): Promise<PulledImage> => {
    const { allPlatforms } = options;
    const source = await client.repository(reference, 'pull', { onePlatform: allPlatforms !== true });
    const copied = await copier.copy(source, reference, { platform, allPlatforms });
    const request = { source, root: copied.root, target, copied, name: reference, as: reference };
    const all = options.referrers ? await withReferrers(request, { signal, onProgress }) : copied;
    const pulled = { name: formatReference(reference), reference, ...all };
    if (allPlatforms !== true) await warnIfForeign(client, target, pulled);
    return pulled;
  });
  const settled = await Promise.allSettled(jobs);
  const failed = settled.find((job) => job.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Promise.all(jobs);
}
