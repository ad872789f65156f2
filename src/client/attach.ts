// Attach: files as an artifact that refers to an image, in the place where the image is (image-spec 1.1, `subject`).
import { type CopyResult, createCopier } from '../copy/copier.ts';
import { asReferrerTarget } from '../copy/referrers.ts';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageTarget } from '../place/place.ts';
import { type Reference, withDigest } from '../reference/reference.ts';
import type { ArtifactFile } from './artifact-source.ts';
import { type ArtifactOptions, buildArtifact, checkArtifactType } from './build-artifact.ts';
import type { Client } from './client.ts';
import type { OpenedSource } from './open-source.ts';
import { openSubject } from './open-subject.ts';

export type AttachOptions = ArtifactOptions;

/** What was attached to what. */
export interface AttachedArtifact extends CopyResult {
  /** The image as people write it, and where it is. */
  name: string;
  from: OpenedSource['from'];
  /** Undefined in a layout. */
  reference: Reference | undefined;
  subject: Descriptor;
  files: ArtifactFile[];
}

/**
 * Attaches `files` (`FILE[:MEDIATYPE]`) to what `image` stands for, or with a platform asked for to that one's manifest.
 * Files of any size are streamed. The same files attached again are the same artifact.
 * Throws USAGE (a directory, an archive that cannot be added to), PATH_NOT_FOUND, IMAGE_NOT_FOUND, IO (a file that
 * changes), UNAUTHORIZED, DENIED, and what the place throws.
 */
export async function attach(
  client: Client,
  image: string,
  files: readonly string[],
  options: AttachOptions,
): Promise<AttachedArtifact> {
  checkArtifactType(options.artifactType);
  const opened = await openSubject(client, image);
  try {
    const target = await targetOf(client, opened, image);
    const subject = opened.root;
    const { root, source, files: described } = await buildArtifact(client, files, options, subject);
    const { signal, onProgress } = client;
    const verb = opened.from === 'registry' ? 'pushed' : 'saved';
    const copier = createCopier(asReferrerTarget(target), { signal, onProgress, verb });
    const place = opened.reference ?? { registry: 'localhost', repository: 'unnamed' };
    const copied = await copier.copy(source, withDigest(place, root.digest), { allPlatforms: true });
    const { name, from, reference } = opened;
    return { name, from, reference, subject, files: described, ...copied };
  } finally {
    await opened.close();
  }
}

async function targetOf(
  client: Client,
  { from, reference }: OpenedSource,
  image: string,
): Promise<ImageTarget> {
  if (from === 'store') return await client.store();
  if (reference !== undefined) return await client.repository(reference, 'push');
  const { parseImageSource } = await import('../archive/image-name.ts');
  const name = parseImageSource(image);
  if (name.transport === 'oci') {
    const { openStore } = await import('../blobstore/store.ts');
    return await openStore(name.path);
  }
  throw new OciError('USAGE', `${image}: an archive cannot be added to`, {
    hint: 'load it first, attach to the image in the store, and save it again with --referrers',
  });
}
