// Push of files as an artifact of their own, which `pull --output` writes to files again.
import { type CopyResult, createCopier } from '../copy/copier.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import type { ArtifactFile } from './artifact-source.ts';
import { type ArtifactOptions, buildArtifact } from './build-artifact.ts';
import type { Client } from './client.ts';
import { parseName } from './image-argument.ts';

export interface PushFilesOptions extends ArtifactOptions {
  /** Blobs in flight. Default 6. */
  concurrency?: number | undefined;
}

/** An artifact that a registry has now. */
export interface PushedFiles extends CopyResult {
  /** As people write it. */
  name: string;
  reference: Reference;
  files: ArtifactFile[];
}

/**
 * Pushes `files` (`FILE[:MEDIATYPE]`) to the registry as `name`. Files of any size are streamed; the same files pushed again
 * are the same artifact. Throws USAGE (a directory, no media type), PATH_NOT_FOUND, IO (a file that changes), UNAUTHORIZED,
 * DENIED, and what the registry throws.
 */
export async function pushFiles(
  client: Client,
  name: string,
  files: readonly string[],
  { concurrency, ...options }: PushFilesOptions,
): Promise<PushedFiles> {
  const reference = await parseName(client, name);
  const { source, root, files: described } = await buildArtifact(client, files, options);
  const target = await client.repository(reference, 'push');
  const { signal, onProgress } = client;
  const copier = createCopier(target, { signal, onProgress, verb: 'pushed', concurrency });
  const copied = await copier.copy(source, reference, { allPlatforms: true });
  return { name: familiarReference(reference), reference, files: described, ...copied, root };
}
