// An image that is first looked at and then copied is asked for each of its documents once: manifest requests count
// against pull limits, and every request is a round trip.
import { Readable } from 'node:stream';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { isLayerType } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import type { ImageSource, ImageTarget } from './place.ts';
import { readSmall } from './read-document.ts';

/** Bytes of documents kept, at most. */
const KEPT_LIMIT = 4 * MANIFEST_LIMIT;

/** `source` with every name standing for `root`; documents are read from `target` if it has them, else once. */
export function keepDocuments(source: ImageSource, root: Descriptor, target: ImageTarget): ImageSource {
  const kept = new Map<Digest, Buffer>();
  let room = KEPT_LIMIT;
  return {
    ...source,
    resolve: async () => root,
    async fetch(descriptor, options) {
      const { digest, size } = descriptor;
      let raw = kept.get(digest);
      if (raw === undefined) {
        if (isLayerType(descriptor.mediaType) || size > room) return source.fetch(descriptor, options);
        const holder = (await target.has(descriptor)) ? target : source;
        raw = await readSmall(holder, descriptor, options);
        kept.set(digest, raw);
        room -= size;
      }
      return Readable.from([raw.subarray(options?.offset ?? 0)]);
    },
  };
}
