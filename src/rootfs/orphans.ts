// Staging folders whose process was killed. Each holds a lock while its process lives; the next unpack to the same
// destination finds those whose lock is free, and clears them away.
import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { acquireFreeLock, type BlobLock } from '../blobstore/lock.ts';
import { removeTree } from './private-folder.ts';

const LOCK = 'lock';
/** Where the destination's former content waits while it is being replaced. */
export const REPLACED = 'replaced';
/** A folder this young may not have its lock yet. */
const YOUNG_MS = 60_000;

/** Marks a fresh staging folder as in use. Undefined where the file system has no locks: it is never cleared away then. */
export function markInUse(folder: string): BlobLock | undefined {
  try {
    return acquireFreeLock(join(folder, LOCK));
  } catch {
    return undefined;
  }
}

/**
 * Clears away what killed processes left beside `target`; the former content of a destination that was being replaced
 * goes back. A convenience: what cannot be cleared away stays.
 */
export function removeOrphans(target: string, prefix: string): void {
  for (const folder of candidates(target, prefix)) {
    try {
      const lock = acquireFreeLock(join(folder, LOCK));
      if (lock === undefined) continue;
      try {
        const replaced = join(folder, REPLACED);
        if (isThere(replaced) && !isThere(target)) renameSync(replaced, target);
        removeTree(folder);
      } finally {
        lock.release();
      }
    } catch {
      // Somebody else is at it, or it is out of reach.
    }
  }
}

/** Folders that only we make: by name, owner, mode and content. */
function candidates(target: string, prefix: string): string[] {
  const parent = dirname(target);
  return names(parent)
    .filter((name) => name.startsWith(prefix) && /^[A-Za-z0-9]{6}$/.test(name.slice(prefix.length)))
    .map((name) => join(parent, name))
    .filter((folder) => {
      const stats = lstatSync(folder, { throwIfNoEntry: false });
      return (
        stats?.isDirectory() === true &&
        stats.uid === process.geteuid?.() &&
        (stats.mode & 0o777) === 0o700 &&
        Date.now() - stats.ctimeMs > YOUNG_MS &&
        lstatSync(join(folder, LOCK), { throwIfNoEntry: false })?.isFile() === true
      );
    });
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
