// What files hold, as hashes: for comparing files of two images that lie in different layers. Each layer is read once,
// front to back, up to the last file asked for; nothing of a file is kept but its hash.
import { createHash } from 'node:crypto';
import { throwIfAborted } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import type { LayerSource } from './layer-source.ts';
import { breathe, reopenLayer } from './reopen-layer.ts';
import type { TreeNode } from './tree.ts';

/** A regular file in a layer. */
export interface FileContent {
  source: LayerSource;
  /** Digest of the layer's inflated bytes: what tells layers apart however they are compressed. */
  diffId: Digest;
  /** Its entry is its place in the layer. */
  inode: TreeNode;
}

/** Equal for two files that are the same entry of the same layer. */
export function contentKey({ diffId, inode }: FileContent): string {
  return `${diffId} ${inode.entry}`;
}

/** Hashed without a pause, so that a signal is heard a few hundred times a second. */
const BYTES_PER_BREATH = 4 * 1024 * 1024;

/**
 * The hashes of `files` by their `contentKey`. Throws LAYER_INVALID when a layer is not what it was when its tree was
 * read, IO, and ABORTED.
 */
export async function hashContents(
  files: Iterable<FileContent>,
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const byLayer = new Map<Digest, Map<number, FileContent>>();
  for (const file of files) {
    const entries = byLayer.get(file.diffId) ?? new Map<number, FileContent>();
    byLayer.set(file.diffId, entries.set(file.inode.entry, file));
  }
  const hashes = new Map<string, string>();
  for (const entries of byLayer.values()) await hashLayer([...entries.values()], hashes, signal);
  return hashes;
}

async function hashLayer(
  files: FileContent[],
  hashes: Map<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [first] = files.sort((a, b) => a.inode.entry - b.inode.entry);
  if (first === undefined) return;
  const layer = reopenLayer(first.source);
  let unbroken = 0;
  const pause = async (): Promise<void> => {
    unbroken = 0;
    await breathe();
    throwIfAborted(signal);
  };
  try {
    for (const file of files) {
      for (const _ of layer.seek(file.inode)) await pause();
      const hash = createHash('sha256');
      for (const piece of layer.body(file.inode)) {
        hash.update(piece);
        unbroken += piece.length;
        if (unbroken > BYTES_PER_BREATH) await pause();
      }
      hashes.set(contentKey(file), hash.digest('base64'));
    }
  } finally {
    layer.close();
  }
}
