// Writes the files of one layer into that layer's own staging folder while it is being read. The folder is fresh and
// private, and holds only real directories and regular files: no name in it, however hostile, leads anywhere else.
// A file's place here is a good guess, not a decision; the merged tree decides, and then files move or go.
import { ftruncateSync, mkdirSync, statSync, writeSync } from 'node:fs';
import { systemCode } from '../errors.ts';
import { parentOf } from '../layer/entry-path.ts';
import type { TarEntry } from '../layer/tar-entry.ts';
import type { TarReader } from '../layer/tar-reader.ts';
import { createHandOut, type HandOut, type NextHelper } from './hand-out.ts';
import { createStageWriter, stageError, stagePaths } from './stage-writer.ts';
import { fsPath } from './tree.ts';

export interface Stage {
  /** A slab to inflate into next; what was written from the last one is no longer needed. */
  takeSlab: HandOut['takeSlab'];
  /** Makes the directory at a clean path, if nothing is in the way. */
  directory(path: string): void;
  /** Writes the body `tar` stands at, now or with the rest of its slab. Throws DISK_FULL, PERMISSION, IO, LAYER_REFUSED. */
  file(entry: TarEntry, path: string, index: number, tar: TarReader): void;
  /** Waits until everything is written. Throws as `file`. */
  finish(): void;
  /** Clean paths of the directories made, parents first, joined by NUL. */
  directories(): string;
  /** Files whose owner could not be set. */
  ownersLost(): number;
}

/** Inside a private folder; the right mode comes last, when nothing needs to be written any more. */
export const STAGED_DIRECTORY_MODE = 0o755;

/**
 * Makes the folder. `onStaged` hears where each file went (`STAGED`), in any order; `nextHelper` is asked now and then
 * for another thread that has nothing to do.
 */
export function createStage(
  folder: string,
  onStaged: (index: number, where: number) => void,
  nextHelper: NextHelper,
): Stage {
  const { inPlace, aside } = stagePaths(folder);
  const made = new Set<string>();
  for (const path of [folder, inPlace, aside]) mkdirSync(fsPath(path), STAGED_DIRECTORY_MODE);
  const settings = { folder, umask: umaskOf(`${folder}/umask`) };
  const writer = createStageWriter(settings);
  const handOut = createHandOut(settings, writer, onStaged, nextHelper);

  function makeDirectory(path: string): boolean {
    if (path === '' || made.has(path)) return true;
    if (!makeDirectory(parentOf(path))) return false;
    try {
      mkdirSync(fsPath(`${inPlace}/${path}`), STAGED_DIRECTORY_MODE);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw stageError(error, path);
    }
    made.add(path);
    return true;
  }

  return {
    takeSlab: handOut.takeSlab,
    directory: (path) => void makeDirectory(path),
    file(entry, path, index, tar) {
      const hasParent = path !== '' && makeDirectory(parentOf(path));
      const piece = tar.body();
      const length = piece?.length ?? 0;
      if (length === entry.size && entry.sparse === undefined) {
        if (handOut.give(entry, path, index, hasParent, piece)) return;
      }
      const where = writer.file(entry, path, index, hasParent, (fd) => writeBody(fd, piece, entry, tar));
      onStaged(index, where);
    },
    finish: handOut.finish,
    directories: () => [...made].join('\0'),
    ownersLost: () => writer.ownersLost() + handOut.ownersLost(),
  };
}

/** What is masked of new files' modes, seen on one: `process.umask()` sets it to 0 for a moment, for all threads. */
function umaskOf(probe: string): number {
  mkdirSync(fsPath(probe), 0o777);
  return 0o777 & ~statSync(fsPath(probe)).mode;
}

function writeBody(descriptor: number, first: Buffer | undefined, entry: TarEntry, tar: TarReader): void {
  const sparse = entry.sparse !== undefined;
  for (let piece = first; piece !== undefined; piece = tar.body()) {
    let done = 0;
    while (done < piece.length) {
      done += writeSync(descriptor, piece, done, piece.length - done, sparse ? tar.bodyOffset + done : null);
    }
  }
  if (sparse) ftruncateSync(descriptor, entry.size);
}
