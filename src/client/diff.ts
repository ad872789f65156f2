// Diff: what files one image has that another has not, or has differently, and which layers they share.
import type { Digest } from '../reference/digest.ts';
import { diffTrees, type TreeDiff, type DiffOptions as TreeDiffOptions } from '../rootfs/diff.ts';
import type { Client } from './client.ts';
import { type OpenedTree, openTree } from './open-tree.ts';

/** Options of `diff`. */
export type DiffOptions = Pick<TreeDiffOptions, 'path' | 'times'>;

/** How many layers, and their bytes as transferred. */
export interface LayerSum {
  layers: number;
  size: number;
}

/** One of the two images. */
export interface DiffedImage extends LayerSum {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
}

/** Two images compared. */
export interface ImageDiff extends TreeDiff {
  before: DiffedImage;
  after: DiffedImage;
  /** Layers, by digest, that both have. */
  shared: LayerSum;
}

/** What is different in the image `after`. Throws PATH_NOT_FOUND, and as `openTree` does. */
export async function diff(
  client: Client,
  before: string,
  after: string,
  options: DiffOptions = {},
): Promise<ImageDiff> {
  const old = await openTree(client, before);
  try {
    const now = await openTree(client, after);
    try {
      const tree = await diffTrees(sideOf(old), sideOf(now), { ...options, signal: client.signal });
      const held = new Set(old.image.layers.map(({ descriptor }) => descriptor.digest));
      const shared = now.image.layers.filter(({ descriptor }) => held.has(descriptor.digest));
      return { before: imageOf(old), after: imageOf(now), shared: sumOf(shared), ...tree };
    } finally {
      await now.close();
    }
  } finally {
    await old.close();
  }
}

function sideOf({ tree, image, stats }: OpenedTree): Parameters<typeof diffTrees>[0] {
  return { tree, layers: image.layers, stats };
}

function imageOf({ image }: OpenedTree): DiffedImage {
  return { name: image.name, digest: image.descriptor.digest, ...sumOf(image.layers) };
}

function sumOf(layers: OpenedTree['image']['layers']): LayerSum {
  return {
    layers: layers.length,
    size: layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0),
  };
}
