// Pull: from a registry into the store, and nothing else.
import { type CopyResult, createCopier } from '../copy/copier.ts';
import { OciError } from '../errors.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseName } from './image-argument.ts';

/** Options of `pull`. */
export interface PullOptions {
  /** Everything the index names, attestations included. */
  allPlatforms?: boolean | undefined;
  /** Blobs in flight per registry. Default 6. */
  concurrency?: number | undefined;
}

/** One image pulled. */
export interface PulledImage extends CopyResult {
  /** `docker.io/library/alpine:3.20` */
  name: string;
  reference: Reference;
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
  const copier = createCopier(await client.store(), {
    signal: client.signal,
    onProgress: client.onProgress,
    concurrency: options.concurrency,
  });
  const jobs = references.map(async (reference): Promise<PulledImage> => {
    const result = await copier.copy(await client.repository(reference), reference, {
      platform,
      allPlatforms: options.allPlatforms,
    });
    return { name: formatReference(reference), reference, ...result };
  });
  const settled = await Promise.allSettled(jobs);
  const failed = settled.find((job) => job.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return Promise.all(jobs);
}
