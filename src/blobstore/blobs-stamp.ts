// Whether blobs have come or gone, told without listing them: a directory's times say when its entries last changed.
import { type BigIntStats, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { namesIfThere } from '../if-there.ts';
import type { StorePaths } from './paths.ts';

/**
 * File systems whose directories are stamped by this machine's own clock with every entry that comes or goes (magic
 * numbers of statfs(2)): ext2 to ext4, xfs, btrfs, tmpfs, overlayfs, f2fs, ZFS. Others may be another machine's, with
 * its clock and its idea of a directory's time.
 */
const TRUSTED = new Set([0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0xf2f52010, 0x2fc12fc1]);

/** Two changes may have one time: some file systems count seconds, and the clock ticks up to 10 ms. */
const TICK = 2000;

/**
 * The same text as earlier when the same blobs are there as then. To be taken before they are listed. Undefined when it
 * would be a guess: something has changed just now, or the file system is not known.
 */
export function blobsStamp(paths: StorePaths): string | undefined {
  const parts: string[] = [];
  for (const name of ['.', ...namesIfThere(paths.blobs).sort()]) {
    const path = join(paths.blobs, name);
    const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined || !isSettled(stat) || !TRUSTED.has(statfsSync(path).type)) return undefined;
    parts.push(`${name}:${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeNs}:${stat.ctimeNs}`);
  }
  return JSON.stringify(parts);
}

/** A time to come is a clock that was set back. */
function isSettled({ ctimeMs }: BigIntStats): boolean {
  return Date.now() - Number(ctimeMs) > TICK;
}
