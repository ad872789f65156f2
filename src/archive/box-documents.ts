// The documents of a box that are not an image's own: oci-layout, index.json, and docker's manifest.json.
import { OciError } from '../errors.ts';
import { CONTAINERD_NAME, REF_NAME } from '../manifest/annotations.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { isImageConfigType, OCI_INDEX } from '../manifest/media-types.ts';
import { algorithmOf, type Digest, hexOf } from '../reference/digest.ts';
import { familiarReference, formatReference, type Reference } from '../reference/reference.ts';

/** An image of a box under one name. */
export interface BoxEntry {
  descriptor: Descriptor;
  reference: Reference;
  /** The name the user wants in the box in place of the reference's. */
  nameAs: string | undefined;
}

export const LAYOUT_FILE = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** Where a layout keeps a blob (image-spec image-layout.md). */
export function blobName(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/**
 * index.json. Names are written as docker and buildkit do: the tag for the spec, the whole name for containerd. Referrers
 * have none, as in oras' layouts.
 */
export function indexDocument(entries: readonly BoxEntry[], referrers: readonly Descriptor[] = []): Buffer {
  const manifests = entries.map(({ descriptor, reference, nameAs }) => {
    const { mediaType, digest, size, artifactType, platform } = descriptor;
    return { mediaType, digest, size, artifactType, platform, annotations: namesOf(reference, nameAs) };
  });
  return json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...manifests, ...referrers] });
}

function namesOf(reference: Reference, nameAs: string | undefined): Record<string, string> | undefined {
  if (nameAs !== undefined) return { [REF_NAME]: nameAs };
  const { tag } = reference;
  if (tag === undefined) return undefined;
  const { digest: _, ...named } = reference;
  return { [CONTAINERD_NAME]: formatReference(named), [REF_NAME]: tag };
}

/**
 * manifest.json, which `docker load` and skopeo read. Layers are named as they lie in the layout, compressed as they
 * are: docker inflates them itself (gzip since 1.10, zstd since 23.0: moby#41759), and the image keeps its digest.
 * Throws UNSUPPORTED for what is no image for one platform.
 */
export function dockerDocument(
  entries: readonly BoxEntry[],
  read: (descriptor: Descriptor) => Buffer,
): Buffer {
  const images = new Map<Digest, { Config: string; RepoTags: string[] | null; Layers: string[] }>();
  for (const { descriptor, reference, nameAs } of entries) {
    const document = parseDocument(read(descriptor), { descriptor });
    if (document.kind !== 'manifest' || !isImageConfigType(document.manifest.config.mediaType)) {
      throw new OciError(
        'UNSUPPORTED',
        `${formatReference(reference)}: docker-archives hold images for one platform only`,
        {
          hint: 'use oci-archive: for everything else',
        },
      );
    }
    const { config, layers } = document.manifest;
    const image = images.get(descriptor.digest) ?? {
      Config: blobName(config.digest),
      RepoTags: null,
      Layers: layers.map(({ digest }) => blobName(digest)),
    };
    const { digest: _, ...named } = reference;
    const name = nameAs ?? (reference.tag === undefined ? undefined : familiarReference(named));
    if (name !== undefined) image.RepoTags = [...(image.RepoTags ?? []), name];
    images.set(descriptor.digest, image);
  }
  return json([...images.values()]);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
