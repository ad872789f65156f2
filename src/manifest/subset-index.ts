// An index written anew for a part of its entries. Whatever else its author wrote stays, fields we do not know included.

import type { Digest } from '../reference/digest.ts';
import { digestOf } from '../reference/digest.ts';
import type { Descriptor } from './descriptor.ts';

/**
 * The index in `raw` with the entries in `stored` only, each by the digest and size it is stored under. `raw` itself,
 * and so the digest, when that is no change.
 */
export function subsetIndex(raw: Buffer, stored: ReadonlyMap<Digest, Descriptor>): Buffer {
  const index = JSON.parse(raw.toString('utf8')) as { manifests: { digest: Digest; size: number }[] };
  let changed = false;
  const manifests = index.manifests.flatMap((entry) => {
    const now = stored.get(entry.digest);
    if (now?.digest === entry.digest) return [entry];
    changed = true;
    return now === undefined ? [] : [{ ...entry, digest: now.digest, size: now.size }];
  });
  return changed ? Buffer.from(JSON.stringify({ ...index, manifests })) : raw;
}

/** Digest and size of a document. */
export function describe(raw: Buffer): Pick<Descriptor, 'digest' | 'size'> {
  return { digest: digestOf(raw), size: raw.length };
}
