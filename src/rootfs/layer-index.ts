// What reading a layer once found out, kept beside the blob: its entries, where each begins, and places from which
// inflating can go on. A question about a stored image is answered from this, without reading its layers.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { replaceFile } from '../blobstore/write-file.ts';
import { type Checkpoint, FRESH } from '../layer/checkpoints.ts';
import { type LayerLimits, RATIO_FLOOR } from '../layer/limits.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import type { EntryLog } from './entry-log.ts';
import { decodeLayerIndex } from './layer-index-format.ts';
import type { LayerSource, LayerStats } from './layer-source.ts';

/** A layer that was read to its end. */
export interface LayerIndex {
  log: EntryLog;
  stats: LayerStats;
  /** What it used of the limits, and the bound that held for one header. */
  use: { headers: number; fileBytes: number; headerBytes: number };
  /** In order. */
  checkpoints: readonly Checkpoint[];
}

/** The file an index is kept in. */
export interface IndexFile {
  readonly path: string;
  /** Undefined when there is none, or it is damaged or of another version: reading the layer makes a new one. */
  read(): LayerIndex | undefined;
}

/** The file at `path` as the index of the layer `digest`; it is read once. */
export function indexFile(path: string, digest: Digest): IndexFile {
  let known: LayerIndex | undefined;
  return {
    path,
    read() {
      known ??= decode(path, digest);
      return known;
    },
  };
}

/** Writes an index as `encodeLayerIndex` gave it. A convenience: that it cannot be written is no failure. */
export function keepIndex(file: IndexFile, bytes: Uint8Array): void {
  try {
    replaceFile(file.path, bytes);
  } catch {
    // The store may be another user's, or full.
  }
}

/** The layer's index, when it says all that reading the layer under these limits would, and reading would succeed. */
export function usableIndex(
  { index: file, descriptor, diffId }: LayerSource,
  limits: LayerLimits,
): LayerIndex | undefined {
  const index = file?.read();
  if (index === undefined || (diffId !== undefined && diffId !== index.stats.diffId)) return undefined;
  return isWithin(index, descriptor, limits) ? index : undefined;
}

function isWithin({ stats, use }: LayerIndex, { size }: Descriptor, limits: LayerLimits): boolean {
  return (
    Math.max(stats.unpackedSize, use.fileBytes) <= limits.bytes &&
    use.headers <= limits.entries &&
    use.headerBytes <= limits.headerBytes &&
    (stats.unpackedSize <= RATIO_FLOOR || stats.unpackedSize <= limits.ratio * size)
  );
}

/** The last place at or before `offset` inflated bytes from which reading can begin; undefined for the start. */
export function checkpointBefore({ stats, checkpoints }: LayerIndex, offset: number): Checkpoint | undefined {
  if (stats.compression === 'none') {
    return { output: offset, input: offset, bit: FRESH, window: new Uint8Array() };
  }
  return checkpoints.findLast(({ output }) => output <= offset);
}

function decode(path: string, digest: Digest): LayerIndex | undefined {
  try {
    const descriptor = openSync(path, 'r');
    try {
      // Of its own, so that columns are aligned.
      const bytes = Buffer.allocUnsafeSlow(fstatSync(descriptor).size);
      for (let at = 0; at < bytes.length; ) {
        const got = readSync(descriptor, bytes, at, bytes.length - at, at);
        if (got === 0) return undefined;
        at += got;
      }
      return decodeLayerIndex(bytes, digest);
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return undefined;
  }
}
