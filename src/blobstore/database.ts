// SQLite as the kernel's lock with a name: whoever dies loses it at once, on `kill -9` too, with no pid to guess about.
// node:sqlite is part of Node: loading it takes 0.2 ms and prints nothing.
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortError, fileError, OciError } from '../errors.ts';

const BUSY = 5;
const READONLY = 8;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** First and longest pause between two attempts to get a lock, ms. */
const FIRST_PAUSE = 5;
const LONGEST_PAUSE = 200;

/**
 * How long SQLite may block this process while it reads, ms: a writer is done in 2 ms, but may be kept from the processor for
 * seconds when a machine has twenty times as much to do as it can.
 */
export const READ_PATIENCE = 15_000;
/** The same within a change, which is begun anew when that was not enough. */
export const FINISHING = 1000;

/** True when the error is another process holding the database. */
export function isBusy(error: unknown): boolean {
  return resultCode(error) === BUSY;
}

/** True when the error is what a file says that is no database, or no more. */
export function isDamaged(error: unknown): boolean {
  const code = resultCode(error);
  return code === CORRUPT || code === NOTADB;
}

/** Opens the database for `use`, and closes it, which rolls back what was not committed. */
export function withDatabase<T>(
  path: string,
  options: { timeout: number; readOnly?: boolean },
  use: (database: DatabaseSync) => T,
): T {
  const database = new DatabaseSync(path, options);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** What a database is that opens and reads and is not in order all the same. */
export class DamagedError extends Error {
  override readonly name = 'DamagedError';
  readonly errcode = CORRUPT;
}

/** Throws DamagedError, or what SQLite says, unless the file is a whole database. 10,000 names take 10 ms. */
export function assertSound(database: DatabaseSync): void {
  const problem = database.prepare('PRAGMA quick_check(1)').get()?.quick_check;
  if (problem !== 'ok') throw new DamagedError(String(problem));
}

/** A failure of SQLite, or of the files around it, as ours. */
export function databaseError(error: unknown, path: string): OciError {
  switch (resultCode(error)) {
    case FULL:
      return new OciError('DISK_FULL', `${path}: no space left on the device`, {
        hint: 'free some space, or choose another place with --store',
        cause: error,
      });
    case READONLY:
    case CANTOPEN:
      return new OciError('PERMISSION', `${path}: cannot be opened for writing`, {
        hint: 'choose a writable place with --store or $OCITOOL_STORE',
        cause: error,
      });
    case CORRUPT:
    case NOTADB:
      return new OciError('STORE_INVALID', `${path}: the database of names is damaged`, {
        hint: 'remove that file: the names are read from index.json again',
        cause: error,
      });
    case BUSY:
      return new OciError('IO', `${path}: another process holds it for too long`, { cause: error });
    default:
      return fileError(error, path);
  }
}

/**
 * Calls `attempt` until it does not fail for being busy. The pauses leave the event loop free (SQLite's own busy
 * timeout would block it, and with it every download of this process). Throws ABORTED.
 */
export async function whenFree<T>(attempt: () => T, signal?: AbortSignal, mayPass = isBusy): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    if (signal?.aborted) throw abortError(signal);
    try {
      return attempt();
    } catch (error) {
      if (!mayPass(error)) throw error;
    }
    await sleep(pause * (0.5 + Math.random()), undefined, signal === undefined ? {} : { signal }).catch(
      (error) => {
        throw signal === undefined ? error : abortError(signal);
      },
    );
  }
}

function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error && 'errcode' in error && typeof error.errcode === 'number')) return undefined;
  return error.errcode & 0xff;
}

export { DatabaseSync };
