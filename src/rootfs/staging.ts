// The private folder an unpack builds in, and how what it built takes the destination's place.
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import { markInUse, REPLACED, removeOrphans } from './orphans.ts';
import { makePrivateFolder, privatePrefix, removeTree } from './private-folder.ts';

export interface Staging {
  /** Fresh, on the destination's file system, open to nobody else. */
  folder: string;
  /** Where in it the finished tree goes; not there yet. */
  rootfs: string;
  /** Writes a file next to the destination, named for it; returns its path. Call before `publish`. Throws as that. */
  beside(suffix: string, text: string): string;
  /** Puts the finished tree at the destination. Throws DESTINATION_NOT_EMPTY, PERMISSION, IO. */
  publish(): void;
  /** Removes the folder, and, unless the tree was published, everything made for it. */
  remove(): void;
}

/**
 * Makes a staging folder beside `destination`, and its parents when they are missing. With `force`, whatever is at
 * the destination is replaced when the tree is published, not before. Throws DESTINATION_NOT_EMPTY, PERMISSION, IO.
 */
export function openStaging(destination: string, force: boolean): Staging {
  const target = checkDestination(destination, force);
  removeOrphans(target, privatePrefix(basename(target), 'unpack'));
  let firstMade: string | undefined;
  let folder: string;
  try {
    firstMade = mkdirSync(dirname(target), { recursive: true });
    folder = makePrivateFolder(dirname(target), basename(target), 'unpack');
  } catch (error) {
    if (firstMade !== undefined) rmSync(firstMade, { recursive: true, force: true });
    throw fileError(error, destination);
  }
  const mark = markInUse(folder);
  const rootfs = join(folder, 'rootfs');
  let published = false;
  let beside: string | undefined;
  return {
    folder,
    rootfs,
    beside(suffix, text) {
      const path = `${target}${suffix}`;
      try {
        if (force) rmSync(path, { force: true });
        writeFileSync(path, text, { flag: 'wx' });
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw fileError(error, path);
        throw new OciError('DESTINATION_NOT_EMPTY', `${path}: is there already, and would be written`, {
          hint: 'remove it, or replace it with --force',
        });
      }
      beside = path;
      return path;
    },
    publish() {
      try {
        if (force) replace(rootfs, target, join(folder, REPLACED));
        else publishFresh(rootfs, target);
        published = true;
      } catch (error) {
        if (!force) refuseOccupied(target, destination);
        throw fileError(error, destination);
      }
    },
    remove() {
      mark?.release();
      removeTree(folder);
      if (!published && beside !== undefined) rmSync(beside, { force: true });
      if (!published && firstMade !== undefined) removeEmpty(dirname(target), firstMade);
    },
  };
}

/** What `openStaging` says of a destination, before there is anything to stage; its real path. */
export function checkDestination(destination: string, force: boolean): string {
  const target = realDestination(destination);
  if (force) refuseSpecial(target, destination);
  else refuseOccupied(target, destination);
  return target;
}

/** The destination with symlinks resolved as far as it exists: a link to a directory means that directory. */
function realDestination(destination: string): string {
  const absolute = resolve(destination);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return absolute;
    throw fileError(error, destination);
  }
}

function refuseOccupied(target: string, destination: string): void {
  let names: string[];
  try {
    names = readdirSync(target);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') {
      if (lstatSync(target, { throwIfNoEntry: false }) === undefined) return;
      throw new OciError('DESTINATION_NOT_EMPTY', `${destination}: is a symlink to nothing`);
    }
    if (systemCode(error) !== 'ENOTDIR') throw fileError(error, destination);
    throw new OciError('DESTINATION_NOT_EMPTY', `${destination}: is there, and not a directory`, {
      hint: 'choose another directory, or replace it with --force',
    });
  }
  if (names.length === 0) return;
  throw new OciError('DESTINATION_NOT_EMPTY', `${destination}: the directory is not empty`, {
    hint: 'choose another directory, or replace it with --force',
  });
}

/** Not even on demand: as root, `/dev/null` would be gone from the machine. */
function refuseSpecial(target: string, destination: string): void {
  const there = lstatSync(target, { throwIfNoEntry: false });
  if (there === undefined || there.isDirectory() || there.isFile() || there.isSymbolicLink()) return;
  throw new OciError('DESTINATION_NOT_EMPTY', `${destination}: is a device or pipe, which is never replaced`);
}

/** An empty directory gives way to a rename by itself; a mount point does not. */
function publishFresh(rootfs: string, target: string): void {
  try {
    renameSync(rootfs, target);
  } catch (error) {
    if (systemCode(error) !== 'EBUSY') throw error;
    throw new OciError('IO', `${target}: is a mount point, which cannot be replaced`, {
      hint: 'choose a directory inside it',
      cause: error,
    });
  }
}

function replace(rootfs: string, target: string, aside: string): void {
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) renameSync(target, aside);
  try {
    renameSync(rootfs, target);
  } catch (error) {
    renameSync(aside, target);
    throw error;
  }
}

/** Removes the directories from `last` up to `first`, as long as they are empty. */
function removeEmpty(last: string, first: string): void {
  for (let path = last; path.startsWith(first); path = dirname(path)) {
    try {
      rmdirSync(path);
    } catch {
      return;
    }
  }
}
