// How large and how deep image documents may be. Apart from the schemas, so that reading a bound loads no zod.

/** The largest manifest or index we read, in bytes (distribution-spec, pushing manifests: 4 MiB). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;

/** Indexes may nest (image-spec image-index.md); deeper than this is an attack, not an image. */
export const MAX_INDEX_DEPTH = 4;
