// What the last listing said, for as long as it holds: the same images in a store with the same blobs. 80,000 blobs
// need then not be looked for.
import type { Descriptor, Platform } from '../manifest/descriptor.ts';
import { blobsStamp } from './blobs-stamp.ts';
import { readKept, writeKept } from './kept.ts';
import type { StorePaths } from './paths.ts';

/** What a listing tells of an image beyond its name. Sizes are bytes of the blobs as stored (compressed). */
export interface ImageFacts {
  /** RFC 3339, of the first platform present. */
  created: string | undefined;
  /** Every blob of the image that is present, once. */
  size: number;
  /** The part of `size` that no image of another digest shares. */
  uniqueSize: number;
  /** The platforms whose manifest is present. */
  platforms: Platform[];
}

export interface LastListing {
  /** One for each root; undefined when nobody listed these images in this state of the store. */
  facts: ImageFacts[] | undefined;
  save(facts: readonly ImageFacts[]): void;
}

/** Flat, because 10,000 are parsed at a time. */
type Row = [created: string | null, size: number, uniqueSize: number, ...platforms: Platform[]];

/** The last listing, if it was of these roots. To be opened before the store is looked at. */
export function openLastListing(paths: StorePaths, roots: readonly Descriptor[]): LastListing {
  const blobs = blobsStamp(paths);
  if (blobs === undefined) return { facts: undefined, save() {} };
  const stamp = `${blobs}\n${textOf(roots)}`;
  return {
    facts: readKept(paths, (database) => {
      const kept = database.prepare('SELECT facts FROM listing WHERE stamp = ?').get(stamp);
      return kept && (JSON.parse(String(kept.facts)) as Row[]).map(fromRow);
    }),
    save(facts) {
      const text = JSON.stringify(facts.map(toRow));
      writeKept(paths, (database) => {
        database.exec('DELETE FROM listing');
        database.prepare('INSERT INTO listing VALUES (?, ?)').run(stamp, text);
      });
    },
  };
}

/** All that a descriptor adds to what its document says. Not hashed: loading the hashes takes longer than comparing. */
function textOf(roots: readonly Descriptor[]): string {
  const lines = roots.map(({ digest, size, platform }) =>
    platform === undefined ? `${digest} ${size}` : `${digest} ${size} ${JSON.stringify(platform)}`,
  );
  return lines.join('\n');
}

function toRow({ created, size, uniqueSize, platforms }: ImageFacts): Row {
  return [created ?? null, size, uniqueSize, ...platforms];
}

function fromRow([created, size, uniqueSize, ...platforms]: Row): ImageFacts {
  return { created: created ?? undefined, size, uniqueSize, platforms };
}
