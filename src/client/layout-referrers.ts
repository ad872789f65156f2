// What refers to the images of an OCI layout that the store keeps too: it remembers referrers in its own folder, where
// readers of plain layouts do not look.
import type { Archive } from '../archive/archive.ts';
import { isOciError } from '../errors.ts';
import type { Referring } from '../place/place.ts';

/** The layout in `dir`, which knows what the store would know of it. */
export function withStoreReferrers(archive: Archive, dir: string): Archive & Referring {
  return {
    ...archive,
    async referrers(subject, options) {
      // Not for those who only read images: the store brings in its database.
      const { openStore } = await import('../blobstore/store.ts');
      try {
        return await (await openStore(dir, { readOnly: true })).referrers(subject, options);
      } catch (error) {
        // A layout without its version file is one to the reader, and no store.
        if (!isOciError(error, 'STORE_INVALID')) throw error;
        return (await archive.referrers?.(subject, options)) ?? [];
      }
    },
  };
}
