// Referrers: what refers to an image where it is: signatures, SBOMs, attestations, whatever was attached.
import type { Descriptor } from '../manifest/descriptor.ts';
import { hasReferrers } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';
import type { Client } from './client.ts';
import { openSubject } from './open-subject.ts';

export interface ReferrersListOptions {
  /** Only those of this type. */
  artifactType?: string | undefined;
}

/** What refers to one image. */
export interface ImageReferrers {
  name: string;
  from: 'store' | 'registry' | 'archive';
  /** What they refer to. */
  digest: Digest;
  /** Manifests and indexes, with `artifactType` and `annotations` where they have them. */
  referrers: Descriptor[];
}

/**
 * Lists what refers to what `image` stands for: its index, or with a platform asked for that one's manifest.
 * Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, and what the place throws.
 */
export async function referrers(
  client: Client,
  image: string,
  options: ReferrersListOptions = {},
): Promise<ImageReferrers> {
  const opened = await openSubject(client, image, { cheap: true });
  try {
    const { source, name, from, root } = opened;
    const { digest } = root;
    const { artifactType } = options;
    const found = hasReferrers(source)
      ? await source.referrers(digest, { artifactType, signal: client.signal })
      : [];
    return { name, from, digest, referrers: found };
  } finally {
    await opened.close();
  }
}
