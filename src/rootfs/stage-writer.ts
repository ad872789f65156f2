// Writes one file of a layer into the layer's staging folder, on the thread that reads the layer or on one that helps
// it. Two threads may write into one folder: whoever makes a name first has it, the other's file goes aside.
//
// Everything is synchronous on descriptors: 57,000 small files through fs/promises took 3.7 times as long as in C,
// through these calls 1.2 times.
import { closeSync, constants, fchmodSync, fchownSync, openSync } from 'node:fs';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { TarEntry } from '../layer/tar-entry.ts';
import { STAGED } from './entry-log.ts';
import { setFileTimes } from './set-times.ts';
import { fsPath, textOf } from './tree.ts';

/** The folders of one layer's stage. */
export interface StagePaths {
  /** Files and directories under their own paths. */
  inPlace: string;
  /** Files whose own path is taken, named by their entry's number. */
  aside: string;
}

export function stagePaths(folder: string): StagePaths {
  return { inPlace: `${folder}/root`, aside: `${folder}/aside` };
}

/** What a writer needs to know of the stage it writes into. Plain data: it crosses to other threads. */
export interface StageSettings {
  folder: string;
  /** What is masked of new files' modes. */
  umask: number;
}

/** What is set on a file besides its content. */
export type FileFacts = Pick<TarEntry, 'mode' | 'uid' | 'gid' | 'mtime' | 'mtimeNanos'>;

export interface StageWriter {
  /**
   * Makes the file of entry `index` and lets `fill` write its content; returns where it went (`STAGED`).
   * `hasParent` says that its own directory is there. Throws DISK_FULL, PERMISSION, IO, LAYER_REFUSED.
   */
  file(
    facts: FileFacts,
    path: string,
    index: number,
    hasParent: boolean,
    fill: (descriptor: number) => void,
  ): number;
  /** Files whose owner could not be set. */
  ownersLost(): number;
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export function createStageWriter({ folder, umask }: StageSettings): StageWriter {
  const { inPlace, aside } = stagePaths(folder);
  const user = process.geteuid?.();
  const group = process.getegid?.();
  let ownersLost = 0;

  function create(path: string, index: number, hasParent: boolean, mode: number): [number, number] {
    if (hasParent) {
      try {
        return [openSync(fsPath(`${inPlace}/${path}`), CREATE, mode), STAGED.inPlace];
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
    }
    return [openSync(fsPath(`${aside}/${index}`), CREATE, mode), STAGED.aside];
  }

  return {
    file(facts, path, index, hasParent, fill) {
      const { mode, uid, gid } = facts;
      let descriptor: number | undefined;
      try {
        const created = create(path, index, hasParent, mode & 0o777);
        descriptor = created[0];
        fill(descriptor);
        if (user === 0 && (uid !== user || gid !== group))
          ownersLost += setOwner(descriptor, uid, gid) ? 0 : 1;
        // After the owner: chown takes setuid and setgid away. Files made with their mode need no second call.
        if ((mode & umask) !== 0 || mode > 0o777) fchmodSync(descriptor, mode);
        setFileTimes(descriptor, facts.mtime, facts.mtimeNanos);
        return created[1];
      } catch (error) {
        throw stageError(error, path);
      } finally {
        if (descriptor !== undefined) closeSync(descriptor);
      }
    },
    ownersLost: () => ownersLost,
  };
}

/** False where the machine does not let us: in a user namespace the id may not exist. */
function setOwner(descriptor: number, uid: number, gid: number): boolean {
  try {
    fchownSync(descriptor, uid, gid);
    return true;
  } catch (error) {
    if (isOwnerRefused(error)) return false;
    throw error;
  }
}

export function isOwnerRefused(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'EPERM' || code === 'EINVAL';
}

/** A failure to write the entry at `path`, in the image's own terms. */
export function stageError(error: unknown, path: string): OciError {
  if (error instanceof OciError) return error;
  const name = JSON.stringify(textOf(path.length > 200 ? `${path.slice(0, 200)}…` : path));
  if (systemCode(error) === 'ENAMETOOLONG') {
    return new OciError(
      'LAYER_REFUSED',
      `the layer's entry ${name} has a name that is too long for this system`,
      {
        hint: 'a name may have 255 bytes and a whole path 4096; a shorter destination leaves more of them',
        cause: error,
      },
    );
  }
  return fileError(error, `unpacking ${name}`);
}
