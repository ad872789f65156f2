// What a store takes up, for `df`.
import { join } from 'node:path';
import { hasBlob, listBlobs, names, sizeOf } from './blob-files.ts';
import { walkStored } from './documents.ts';
import { blobPath, type StorePaths } from './paths.ts';
import { listRefs } from './refs.ts';
import { twinOf } from './twin.ts';

/** Files and their bytes. */
export interface Amount {
  count: number;
  bytes: number;
}

export interface StoreUsage {
  /** Distinct images, however many names each has. */
  images: number;
  names: number;
  blobs: Amount;
  /** The part of `blobs` that no name leads to. */
  unreferenced: Amount;
  /** Partial downloads. */
  ingest: Amount;
  layerRecords: Amount;
}

export function storeUsage(paths: StorePaths): StoreUsage {
  const refs = listRefs(paths);
  const roots = new Map(refs.map(({ descriptor }) => [descriptor.digest, descriptor]));
  const referenced = new Set<string>();
  for (const root of roots.values()) {
    const twin = twinOf(root);
    if (twin !== undefined) referenced.add(twin.descriptor.digest);
    walkStored(paths, root, {
      isPresent: (descriptor) => hasBlob(paths, descriptor),
      present: (descriptor) => referenced.add(descriptor.digest),
    });
  }
  const blobs: Amount = { count: 0, bytes: 0 };
  const unreferenced: Amount = { count: 0, bytes: 0 };
  for (const digest of listBlobs(paths).digests) {
    const bytes = sizeOf(blobPath(paths, digest));
    add(blobs, bytes);
    if (!referenced.has(digest)) add(unreferenced, bytes);
  }
  return {
    images: roots.size,
    names: refs.length,
    blobs,
    unreferenced,
    ingest: folder(paths.ingest, (name) => !name.endsWith('.lock')),
    layerRecords: folder(paths.layers, (name) => name.endsWith('.json')),
  };
}

function folder(path: string, wanted: (name: string) => boolean): Amount {
  const amount: Amount = { count: 0, bytes: 0 };
  for (const name of names(path).filter(wanted)) add(amount, sizeOf(join(path, name)));
  return amount;
}

function add(amount: Amount, bytes: number): void {
  amount.count += 1;
  amount.bytes += bytes;
}
