// The flattened root file system of an image, made once and shared read-only by all containers of images with the same
// layers. It is named by the layers' chain ID, so images that differ in their configuration only share it too.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { acquireLock } from '../../blobstore/lock.ts';
import type { StorePaths } from '../../blobstore/paths.ts';
import { replaceFile } from '../../blobstore/write-file.ts';
import { chainIds } from '../../manifest/chain-id.ts';
import type { RunConfig } from '../../manifest/config.ts';
import { type Digest, hexOf } from '../../reference/digest.ts';

const ONE_ID = '-one-id';

/** What running an image takes, kept so that its documents need not be read and checked again. */
export interface PreparedImage {
  version: 1;
  /** The platform's manifest; the tree is kept while the store has it. */
  digest: Digest;
  os: string;
  architecture: string;
  config: RunConfig;
  /** Name of the tree. */
  tree: string;
}

/** The name of the tree that these layers make, lowest first. */
export function treeName(diffIds: readonly Digest[]): string {
  const top = chainIds(diffIds).at(-1);
  return top === undefined ? 'empty' : hexOf(top);
}

/** Its name where a user namespace has one id only: every file is that id's then. blobstore/trees.ts knows the ending. */
export function oneIdTree(tree: string): string {
  return `${tree}${ONE_ID}`;
}

/** A tree's path. */
export function treePath(paths: StorePaths, tree: string): string {
  return join(paths.trees, tree);
}

/**
 * Makes sure that the tree is there: `make` writes it to a path, which must appear whole or not at all. One process
 * makes it while others wait. Throws what `make` throws, ABORTED.
 */
export async function ensureTree(
  paths: StorePaths,
  tree: string,
  make: (path: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const path = treePath(paths, tree);
  if (existsSync(path)) return;
  mkdirSync(paths.trees, { recursive: true, mode: 0o700 });
  const lock = await acquireLock(`${path}.lock`, signal);
  try {
    if (!existsSync(path)) await make(path);
  } finally {
    lock.remove();
  }
}

/** What is known of the image that `root`, an index or a manifest, stands for on this machine. */
export function readPrepared(paths: StorePaths, root: Digest): PreparedImage | undefined {
  try {
    const prepared = JSON.parse(readFileSync(preparedPath(paths, root), 'utf8')) as PreparedImage;
    return prepared.version === 1 ? prepared : undefined;
  } catch {
    return undefined;
  }
}

export function savePrepared(paths: StorePaths, root: Digest, prepared: PreparedImage): void {
  mkdirSync(paths.prepared, { recursive: true, mode: 0o700 });
  replaceFile(preparedPath(paths, root), JSON.stringify(prepared));
}

function preparedPath(paths: StorePaths, root: Digest): string {
  return join(paths.prepared, `${hexOf(root)}.json`);
}
