// The root file systems that containers run on, as gc and df see them: directories named by chain IDs, beside records of
// the images they were made from (runner/rootfs/trees.ts), spared while an image or a container needs them.
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileError, systemCode } from '../errors.ts';
import { names } from './blob-files.ts';
import { acquireLock } from './lock.ts';
import type { StorePaths } from './paths.ts';
import type { Amount } from './usage.ts';

export interface SweepTreesOptions {
  /** Digests of what the store still needs. */
  used: ReadonlySet<string>;
  /** Half-made trees older than this go, ms since the epoch. */
  before: number;
  dryRun: boolean;
}

/**
 * Removes trees that neither an image in use nor a container stands on, and records of images that have gone. No
 * container can be made meanwhile. Throws PERMISSION for trees with the owners of a user namespace.
 */
export async function sweepTrees(paths: StorePaths, options: SweepTreesOptions): Promise<Amount> {
  const { used, before, dryRun } = options;
  if (names(paths.trees).length === 0) return { count: 0, bytes: 0 };
  mkdirSync(paths.containers, { recursive: true, mode: 0o700 });
  const lock = await acquireLock(join(paths.containers, 'lock'));
  const doomed: string[] = [];
  try {
    const needed = new Set(neededTrees(paths, used, dryRun));
    for (const name of names(paths.trees)) {
      const path = join(paths.trees, name);
      if (path === paths.prepared || name.endsWith('.lock')) continue;
      // A tree that is being made, or was when its maker was killed.
      if (name.startsWith('.') ? statSync(path).mtimeMs >= before : needed.has(plain(name))) continue;
      if (dryRun || name.startsWith('.')) doomed.push(path);
      else {
        // Out of the way at once, so that the lock is held for no longer than a rename takes.
        const aside = join(paths.trees, `.gone-${process.pid}-${name}`);
        renameSync(path, aside);
        doomed.push(aside);
      }
    }
  } catch (error) {
    throw fileError(error, paths.trees);
  } finally {
    lock.release();
  }
  const amount: Amount = { count: 0, bytes: 0 };
  for (const path of doomed) {
    amount.count += 1;
    amount.bytes += sizeOfTree(path);
    try {
      if (!dryRun) rmSync(path, { recursive: true, force: true });
    } catch (error) {
      throw fileError(error, path);
    }
  }
  return amount;
}

/** Trees that are whole, and the bytes of their files. */
export function usageOfTrees(paths: StorePaths): Amount {
  const amount: Amount = { count: 0, bytes: 0 };
  for (const name of names(paths.trees)) {
    const path = join(paths.trees, name);
    if (path === paths.prepared || name.startsWith('.') || name.endsWith('.lock')) continue;
    amount.count += 1;
    amount.bytes += sizeOfTree(path);
  }
  return amount;
}

function* neededTrees(paths: StorePaths, used: ReadonlySet<string>, dryRun: boolean): Generator<string> {
  for (const name of names(paths.prepared)) {
    const path = join(paths.prepared, name);
    const { digest, tree } = readMembers(path);
    if (digest !== undefined && tree !== undefined && used.has(digest)) yield plain(tree);
    else if (!dryRun) rmSync(path, { force: true });
  }
  for (const id of names(paths.containers)) {
    const { tree } = readMembers(join(paths.containers, id, 'record.json'));
    if (tree !== undefined) yield plain(tree);
  }
}

/** The tree of a namespace with one id belongs to the same image. */
function plain(tree: string): string {
  return tree.replace(/-one-id$/, '');
}

function readMembers(path: string): { digest?: string; tree?: string } {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { digest?: string; tree?: string };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return {};
    throw fileError(error, path);
  }
}

/** Bytes of the files below; what cannot be looked into counts nothing. */
function sizeOfTree(path: string): number {
  let bytes = 0;
  const folders = [Buffer.from(path)];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    try {
      for (const entry of readdirSync(folder, { withFileTypes: true, encoding: 'buffer' })) {
        const child = Buffer.concat([folder, Buffer.from('/'), entry.name]);
        if (entry.isDirectory()) folders.push(child);
        else if (entry.isFile()) bytes += lstatSync(child).size;
      }
    } catch {
      // Closed to this user, or gone meanwhile.
    }
  }
  return bytes;
}
