// Where a copy out of an image goes, by the rules of `docker cp`, and how it gets there: it is built in a private folder
// beside its place and appears whole. No directory is merged into, and nothing is replaced but, with `force`, one file.
import { linkSync, lstatSync, readdirSync, realpathSync, renameSync, statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import { makePrivateFolder, removeTree } from './private-folder.ts';
import { bytesOf, fsPath, textOf } from './tree.ts';

/** What is copied. */
export interface Copied {
  /** Its name, a byte string. */
  name: string;
  isDirectory: boolean;
  /** Not the directory but what is in it: into an existing directory it does not go under its own name. */
  contentsOnly: boolean;
}

export interface CopyTarget {
  /** Where the copy will be, a byte string. */
  path: string;
  /** The place to build it: not there yet, in a private folder on the same file system; a byte string. */
  staged: string;
  /** Puts what was built in its place. Throws DESTINATION_NOT_EMPTY, PERMISSION, IO. */
  publish(): void;
  /** Removes the private folder. */
  remove(): void;
}

/**
 * The place `destination` means: inside it when it is a directory, else the name itself, whose parent must be there; a
 * file's with a slash at the end must be a directory. Throws DESTINATION_NOT_EMPTY when something is there already,
 * PERMISSION and IO.
 */
export function openCopyTarget(destination: string, copied: Copied, force: boolean): CopyTarget {
  try {
    const path = placeOf(destination, copied);
    refuseOccupied(path, copied, force);
    const parent = textOf(path.slice(0, path.lastIndexOf('/'))) || '/';
    const folder = makePrivateFolder(parent, textOf(copied.name), 'cp');
    const staged = `${bytesOf(folder)}/copy`;
    return {
      path,
      staged,
      publish: () => publish(staged, path, copied, force),
      remove: () => removeTree(folder),
    };
  } catch (error) {
    throw fileError(error, destination);
  }
}

function placeOf(destination: string, { name, isDirectory, contentsOnly }: Copied): string {
  const there = statSync(destination, { throwIfNoEntry: false });
  if (there?.isDirectory()) {
    const directory = bytesOf(realpathSync(destination));
    return contentsOnly ? directory : `${directory === '/' ? '' : directory}/${name}`;
  }
  if (destination.endsWith('/') && (there !== undefined || !isDirectory)) {
    throw new OciError('IO', `${destination}: no such directory`, {
      hint: 'make it first, or leave out the slash at the end to give the copy that name',
    });
  }
  const absolute = resolve(destination);
  const parent = bytesOf(realpathSync(dirname(absolute)));
  return `${parent === '/' ? '' : parent}/${bytesOf(basename(absolute))}`;
}

function refuseOccupied(path: string, { isDirectory }: Copied, force: boolean): void {
  const there = lstatSync(fsPath(path), { throwIfNoEntry: false });
  if (there === undefined || (isDirectory && isEmptyDirectory(path))) return;
  if (there.isDirectory() || isDirectory) {
    throw new OciError(
      'DESTINATION_NOT_EMPTY',
      `${textOf(path)}: is there${there.isDirectory() ? ', and a directory' : ', and not a directory'}`,
      { hint: 'nothing is merged or replaced there, even with --force; choose another place' },
    );
  }
  if (!force) {
    throw new OciError('DESTINATION_NOT_EMPTY', `${textOf(path)}: is there`, {
      hint: 'choose another place, or replace it with --force',
    });
  }
}

function isEmptyDirectory(path: string): boolean {
  try {
    return readdirSync(fsPath(path)).length === 0;
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return false;
    throw error;
  }
}

/** What came into the way meanwhile is not overwritten: only a directory gives way to a rename if it is empty, nothing to a link. */
function publish(staged: string, path: string, copied: Copied, force: boolean): void {
  try {
    if (copied.isDirectory || force || !linked(staged, path)) renameSync(fsPath(staged), fsPath(path));
  } catch (error) {
    refuseOccupied(path, copied, force);
    throw fileError(error, textOf(path));
  }
}

/** False where the file system has no hard links; what is at `path` is looked at once more then. */
function linked(staged: string, path: string): boolean {
  try {
    linkSync(fsPath(staged), fsPath(path));
    return true;
  } catch (error) {
    if (lstatSync(fsPath(path), { throwIfNoEntry: false }) !== undefined) throw error;
    return false;
  }
}
