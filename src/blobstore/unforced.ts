// Where names need not be forced to the disk. A database that waits for it waits for all that was written meanwhile, too:
// 40 ms after a pull of 450 MB. What index.json says is enough where a file's bytes reach the disk before the rename that
// puts the file in its place: after a power cut it is whole, as it was before or after the last change, and the database
// counts as foreign until the two are one again.
import { readFileSync, statfsSync } from 'node:fs';

/** ext4 (its auto_da_alloc), btrfs, ZFS; and tmpfs, of which nothing remains (magic numbers of statfs(2)). */
const ORDERED = new Set([0xef53, 0x9123683e, 0x2fc12fc1, 0x01021994]);

/**
 * A text that marks what this run of the machine wrote in the directory without waiting for the disk; undefined when a
 * database there must wait.
 */
export function unforcedMark(directory: string): string | undefined {
  try {
    if (!ORDERED.has(statfsSync(directory).type)) return undefined;
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return undefined;
  }
}
