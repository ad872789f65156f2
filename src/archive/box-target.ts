// A box being filled: blobs go where its kind keeps them, names into index.json, and it appears whole at the end.

import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { BlobLocation, ImageTarget, LocalBlobs, ReferrerTarget } from '../place/place.ts';
import { readRange } from '../place/read-range.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference } from '../reference/reference.ts';
import { createBlobIngest } from './blob-ingest.ts';
import type { BoxEntry } from './box-documents.ts';

/** What becomes a box when it is finished. Exactly one of `finish` and `discard` ends it. */
export interface BoxTarget extends ImageTarget, LocalBlobs, ReferrerTarget {
  /** The file or directory as the user named it. */
  readonly path: string;
  /** Writes the names, and moves the box to its place. Throws DISK_FULL, PERMISSION, and DESTINATION_NOT_EMPTY. */
  finish(): Promise<void>;
  /** Removes what was written; harmless after `finish`. */
  discard(): Promise<void>;
}

/** What the kinds of boxes do each in their way. */
export interface BoxStorage {
  path: string;
  /** Where a blob is to be written: the same place when it is asked for again. */
  place(descriptor: Descriptor): BlobLocation;
  /** Writes the documents that tell these images and what refers to them, and moves the box to its place. */
  finish(entries: readonly BoxEntry[], referrers: readonly Descriptor[]): Promise<void>;
  discard(): void;
}

/** A target over a storage. `nameAs` writes names into index.json as the user wants them. */
export function createBoxTarget(storage: BoxStorage, nameAs?: string): BoxTarget {
  const present = new Map<Digest, BlobLocation>();
  const entries = new Map<string, BoxEntry>();
  const referrers = new Map<Digest, Descriptor>();

  function locate({ digest }: Descriptor): BlobLocation {
    const location = present.get(digest);
    if (location === undefined) throw new OciError('BLOB_NOT_FOUND', `${digest}: not in ${storage.path}`);
    return location;
  }

  return {
    path: storage.path,
    async resolve(name) {
      const entry = entries.get(formatReference(name));
      if (entry !== undefined) return entry.descriptor;
      throw new OciError('IMAGE_NOT_FOUND', `${storage.path}: no image ${formatReference(name)} in it`);
    },
    has: async ({ digest }) => present.has(digest),
    locate: async (descriptor) => locate(descriptor),
    fetch: async (descriptor, { offset, signal } = {}) => readRange(locate(descriptor), offset, signal),
    async ingest(descriptor) {
      if (present.has(descriptor.digest)) return undefined;
      const location = storage.place(descriptor);
      return createBlobIngest(location, descriptor, () => present.set(descriptor.digest, location));
    },
    async tag(descriptor, name) {
      entries.set(formatReference(name), { descriptor, reference: name, nameAs });
    },
    async refer({ mediaType, digest, size, artifactType }) {
      referrers.set(digest, { mediaType, digest, size, ...(artifactType !== undefined && { artifactType }) });
    },
    async finish() {
      await storage.finish([...entries.values()], [...referrers.values()]);
    },
    async discard() {
      storage.discard();
    },
  };
}
