// Files as an artifact that can be copied to any place: what `attach` and `push --artifact-type` have in common.
import { OciError } from '../errors.ts';
import { artifactManifest, EMPTY } from '../manifest/artifact.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isMediaType, OCI_MANIFEST } from '../manifest/media-types.ts';
import { describe } from '../manifest/subset-index.ts';
import type { ImageSource } from '../place/place.ts';
import { type ArtifactFile, artifactSource, describeFiles } from './artifact-source.ts';
import type { Client } from './client.ts';

/** What people say of an artifact. */
export interface ArtifactOptions {
  /** The media type that says what the artifact is, such as `application/spdx+json`. */
  artifactType: string;
  annotations?: Record<string, string> | undefined;
}

/** An artifact that is in no place yet. */
export interface BuiltArtifact {
  root: Descriptor;
  files: ArtifactFile[];
  source: ImageSource;
}

/** Throws USAGE for what is no media type. */
export function checkArtifactType(artifactType: string): void {
  if (isMediaType(artifactType)) return;
  throw new OciError('USAGE', `not a media type: ${JSON.stringify(artifactType.slice(0, 100))}`, {
    hint: 'write one such as application/spdx+json or application/vnd.example.report.v1',
  });
}

/**
 * Hashes `files` (`FILE[:MEDIATYPE]`) and writes the manifest, about `subject` if there is one. The same parts give the same
 * digest. Throws USAGE (a directory, two files of one name), PATH_NOT_FOUND, PERMISSION, IO, ABORTED.
 */
export async function buildArtifact(
  client: Client,
  files: readonly string[],
  { artifactType, annotations }: ArtifactOptions,
  subject?: Descriptor,
): Promise<BuiltArtifact> {
  checkArtifactType(artifactType);
  const described = await describeFiles(files, client);
  const layers = described.length === 0 ? [EMPTY] : described.map(({ descriptor }) => descriptor);
  const manifest = artifactManifest({ artifactType, layers, subject, annotations });
  const root: Descriptor = { mediaType: OCI_MANIFEST, ...describe(manifest) };
  return { root, files: described, source: artifactSource(root, manifest, described) };
}
