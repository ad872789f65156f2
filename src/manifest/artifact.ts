// Artifacts: manifests that carry files in place of a root file system (image-spec manifest.md, guidelines for artifact
// usage), in the form oras and others read.
import type { Digest } from '../reference/digest.ts';
import type { Descriptor } from './descriptor.ts';
import type { ImageManifest } from './document.ts';
import { OCI_MANIFEST } from './media-types.ts';

/** A file's name within an artifact, `/` between the parts (image-spec annotations.md). */
export const TITLE = 'org.opencontainers.image.title';
/** oras' mark for a directory that it packed as a tar. */
export const UNPACK = 'io.deis.oras.content.unpack';
/** `{}`, which stands for a config or layer that is not needed (image-spec manifest.md). */
export const EMPTY = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a' as Digest,
  size: 2,
  data: 'e30=',
} satisfies Descriptor;

/** What an artifact is made of. */
export interface ArtifactParts {
  artifactType: string;
  layers: Descriptor[];
  subject?: Descriptor | undefined;
  annotations?: Record<string, string> | undefined;
}

/** The manifest. Nothing of the moment goes in: the same parts give the same digest. */
export function artifactManifest({ artifactType, layers, subject, annotations }: ArtifactParts): Buffer {
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: EMPTY,
    layers,
    ...(subject !== undefined && { subject: plain(subject) }),
    ...(annotations !== undefined && Object.keys(annotations).length > 0 && { annotations }),
  } satisfies ImageManifest;
  return Buffer.from(JSON.stringify(manifest));
}

function plain({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}
