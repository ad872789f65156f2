// An image's files without unpacking it: the merged tree, and the layers its contents are read from.
import { type ReadTreeResult, readTree } from '../rootfs/read-tree.ts';
import type { Tree } from '../rootfs/tree.ts';
import type { Client } from './client.ts';
import { type LocalImage, openLayers, rememberLayers } from './open-layers.ts';

/** An image with its merged tree. Close it. */
export interface OpenedTree {
  image: LocalImage;
  tree: Tree;
  /** One per layer, lowest first. */
  stats: ReadTreeResult['layers'];
  close(): Promise<void>;
}

/** The merged tree of an image; for `lookUp`, `listTree`, `readFile` and `exportTree`. Throws as `unpack` does. */
export async function openTree(client: Client, image: string): Promise<OpenedTree> {
  const opened = await openLayers(client, image);
  try {
    const { tree, layers: stats } = await readTree(opened.layers, {
      signal: client.signal,
      // Looking is quick and answers by itself: only what a person must know is told.
      onProgress: (event) => event.type === 'warning' && client.onProgress?.(event),
      verifyBlob: opened.unverified,
      limits: client.limits,
    });
    await rememberLayers(client, opened, stats);
    return { image: opened, tree, stats, close: opened.close };
  } catch (error) {
    await opened.close();
    throw error;
  }
}
