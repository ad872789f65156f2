// documents.db: what was worked out from the documents of a store and never goes out of date, or says for which state of
// the store it holds. A convenience that may be lost at any time: whoever reads nothing here works it out again.
import { existsSync, rmSync } from 'node:fs';
import { type DatabaseSync, isDamaged, withDatabase } from './database.ts';
import type { StorePaths } from './paths.ts';

/** How long a reader may be blocked by a writer that is about to finish, ms: less than reading 20,000 files takes. */
const FINISHING = 500;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS manifests (digest TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS listing (stamp TEXT NOT NULL, facts TEXT NOT NULL);
`;

/** What `read` finds; undefined when there is nothing (yet). */
export function readKept<T>(paths: StorePaths, read: (database: DatabaseSync) => T): T | undefined {
  if (!existsSync(paths.documents)) return undefined;
  try {
    return withDatabase(paths.documents, { readOnly: true, timeout: FINISHING }, read);
  } catch (error) {
    // Somebody writes, or it lacks a table or needs a rollback, which the next writer sees to.
    if (isDamaged(error)) rmSync(paths.documents, { force: true });
    return undefined;
  }
}

/** One transaction. What cannot be kept is not. */
export function writeKept(paths: StorePaths, write: (database: DatabaseSync) => void): void {
  try {
    withDatabase(paths.documents, { timeout: 0 }, (database) => {
      database.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
      write(database);
      database.exec('COMMIT');
    });
  } catch {
    // Somebody else is at it, or the store is another user's, or the disk is full.
  }
}
