// The annotations of an OCI layout's index.json that say which image an entry is: read and written by the store, read
// from archives.

/** An image's name, or only its tag (image-spec annotations.md). */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** containerd and docker put only the tag in `ref.name` and the full name here. */
export const CONTAINERD_NAME = 'io.containerd.image.name';

/**
 * Ours: marks a second entry that older tools read instead of the image's own (blobstore/twin.ts), so that nobody here
 * takes it for an image. The value is the digest it stands for.
 */
export const TWIN_OF = 'dev.ocitool.twin-of';
