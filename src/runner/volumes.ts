// Folders that outlive a container's root file system: named volumes, which stay until they are removed by hand, and
// anonymous ones, which an image asks for and which go with the container.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { VolumeNeed } from './spec/volumes.ts';

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Where the volume for each need is, by target. Throws USAGE for a name that cannot be one. */
export function volumeFolders(
  needs: readonly VolumeNeed[],
  folders: { named: string; anonymous: string },
): Map<string, string> {
  const found = new Map<string, string>();
  for (const [index, { name, target }] of needs.entries()) {
    if (name !== undefined && !NAME.test(name)) {
      throw new OciError('USAGE', `${name}: not a name for a volume`, {
        hint: 'a folder of this machine begins with / or ./',
      });
    }
    found.set(
      target,
      name === undefined ? join(folders.anonymous, String(index)) : join(folders.named, name),
    );
  }
  return found;
}

/** Makes those that are new, as a copy of what `tree` has at their target. Throws DISK_FULL, PERMISSION, IO. */
export function makeVolumes(volumes: ReadonlyMap<string, string>, tree: string): void {
  for (const [target, folder] of volumes) {
    if (existsSync(folder)) continue;
    try {
      mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
      makeVolume(dirname(folder), folder, directoryIn(tree, target));
    } catch (error) {
      throw fileError(error, folder);
    }
  }
}

/** Whole or not at all; of two who make the same one the first wins. */
function makeVolume(parent: string, folder: string, source: { path: string; stat: Stats } | undefined): void {
  const temporary = mkdtempSync(join(parent, '.new-'));
  try {
    chmodSync(temporary, 0o755);
    if (source !== undefined) {
      const { status, stderr } = spawnSync('cp', ['-a', '--reflink=auto', `${source.path}/.`, temporary], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new OciError('IO', `cannot fill a volume: ${stderr.trim().split('\n')[0]}`);
      chownSync(temporary, source.stat.uid, source.stat.gid);
      chmodSync(temporary, source.stat.mode & 0o7777);
    }
    renameSync(temporary, folder);
  } catch (error) {
    if (systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST') throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** The directory at `target` in the tree; none where a symlink is on the way, which could lead out of it. */
function directoryIn(tree: string, target: string): { path: string; stat: Stats } | undefined {
  let path = tree;
  let stat: Stats | undefined;
  for (const name of target.split('/').filter((part) => part !== '')) {
    path = join(path, name);
    stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true) return undefined;
  }
  return stat && { path, stat };
}
