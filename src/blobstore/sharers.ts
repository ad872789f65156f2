// Which images have a blob, for the SHARED column of `layers`.
import type { Digest } from '../reference/digest.ts';
import { walkStored } from './documents.ts';
import { nameOfKey } from './index-file.ts';
import { openKnownDocuments } from './known-documents.ts';
import { storePaths } from './paths.ts';
import { presentBlobs } from './present-blobs.ts';
import { listRefs } from './refs.ts';

/** For each digest the names, sorted, of the stored images that have it and are not `except`. None for an absent blob. */
export function sharersOf(
  store: { readonly dir: string },
  wanted: readonly Digest[],
  except: Digest,
): Map<Digest, string[]> {
  const paths = storePaths(store.dir);
  const refs = listRefs(paths).filter(
    ({ key, descriptor }) => nameOfKey(key) && descriptor.digest !== except,
  );
  const present = presentBlobs(paths);
  const documents = openKnownDocuments(paths, refs.length);
  const sharers = new Map<Digest, string[]>(wanted.map((digest) => [digest, []]));
  for (const { key, descriptor } of refs) {
    walkStored(paths, descriptor, {
      read: documents.read,
      isPresent: ({ digest }) => present.has(digest),
      present: ({ digest }) => sharers.get(digest)?.push(key),
    });
  }
  documents.close();
  return sharers;
}
