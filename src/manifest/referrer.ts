// Documents that refer to another one (`subject`, image-spec manifest.md): signatures, SBOMs, attestations. How lists of
// referrers show them, and how they are found where nobody keeps such a list.
import type { Digest } from '../reference/digest.ts';
import type { Descriptor } from './descriptor.ts';
import { type ManifestDocument, parseDocument } from './document.ts';
import { MANIFEST_LIMIT } from './limits.ts';
import { isIndexType, isManifestType } from './media-types.ts';

/** What the manifest or index in `raw` refers to. Throws what `parseDocument` throws. */
export function subjectOf(descriptor: Descriptor, raw: Buffer): Descriptor | undefined {
  // Most refer to nothing, and need not be parsed for that.
  if (!raw.includes('"subject"')) return undefined;
  const document = parseDocument(raw, { descriptor });
  return document.kind === 'index' ? document.index.subject : document.manifest.subject;
}

/** The document as a list of referrers has it: with what tells its kind without fetching it (distribution-spec, listing referrers). */
export function referrerEntry(
  { mediaType, digest, size }: Descriptor,
  document: ManifestDocument,
): Descriptor {
  const { artifactType, annotations } = document.kind === 'index' ? document.index : document.manifest;
  const type =
    artifactType || (document.kind === 'manifest' ? document.manifest.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    size,
    ...(type !== undefined && { artifactType: type }),
    ...(annotations !== undefined && { annotations }),
  };
}

/** Those of the documents that refer to something, each with what it refers to. What cannot be read refers to nothing. */
export function referringAmong(
  candidates: readonly Descriptor[],
  read: (descriptor: Descriptor) => Buffer | undefined,
): { subject: Digest; entry: Descriptor }[] {
  return candidates.flatMap((descriptor) => {
    const { mediaType, size } = descriptor;
    if ((!isIndexType(mediaType) && !isManifestType(mediaType)) || size > MANIFEST_LIMIT) return [];
    try {
      const raw = read(descriptor);
      const subject = raw && subjectOf(descriptor, raw);
      if (raw === undefined || subject === undefined) return [];
      return [
        { subject: subject.digest, entry: referrerEntry(descriptor, parseDocument(raw, { descriptor })) },
      ];
    } catch {
      return [];
    }
  });
}

/** Those of the type; all without one. */
export function ofArtifactType(descriptors: readonly Descriptor[], artifactType?: string): Descriptor[] {
  return descriptors.filter((one) => artifactType === undefined || one.artifactType === artifactType);
}
