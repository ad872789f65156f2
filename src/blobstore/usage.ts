// What a store takes up, for `df`.
import { join } from 'node:path';
import { listBlobs, names, sizeOf } from './blob-files.ts';
import { isLayerIndexName } from './layer-index-files.ts';
import { blobPath, type StorePaths } from './paths.ts';
import { reachable } from './reachable.ts';
import { listRefs } from './refs.ts';
import { usageOfTrees } from './trees.ts';

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
  /** The part of `blobs` that nothing leads to: what gc would free. */
  unreferenced: Amount;
  /** Partial downloads. */
  ingest: Amount;
  layerRecords: Amount;
  /** What `ls`, `cat` and others are answered from. */
  layerIndexes: Amount;
  /** Root file systems of containers. */
  trees: Amount;
}

export function storeUsage(paths: StorePaths): StoreUsage {
  const refs = listRefs(paths);
  const images = new Set(refs.map(({ descriptor }) => descriptor.digest));
  const referenced = reachable(paths, refs);
  const blobs = nothing();
  const unreferenced = nothing();
  for (const digest of listBlobs(paths).digests) {
    const bytes = sizeOf(blobPath(paths, digest));
    add(blobs, bytes);
    if (!referenced.has(digest)) add(unreferenced, bytes);
  }
  return {
    images: images.size,
    names: refs.length,
    blobs,
    unreferenced,
    ingest: folder(paths.ingest, (name) => !name.endsWith('.lock')),
    layerRecords: folder(paths.layers, (name) => name.endsWith('.json')),
    layerIndexes: folder(paths.layers, isLayerIndexName),
    trees: usageOfTrees(paths),
  };
}

function folder(path: string, wanted: (name: string) => boolean): Amount {
  const amount = nothing();
  for (const name of names(path).filter(wanted)) add(amount, sizeOf(join(path, name)));
  return amount;
}

/** No files. */
export function nothing(): Amount {
  return { count: 0, bytes: 0 };
}

/** Counts one more file. */
export function add(amount: Amount, bytes: number): void {
  amount.count += 1;
  amount.bytes += bytes;
}
