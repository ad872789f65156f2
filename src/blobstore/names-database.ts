// The database of names, safe with many processes at once: its rows and index.json change in one transaction (c/image#1028,
// oras#149, ggcr#849 and buildah#5581 are what happens with index.json alone).
//
// The journal is SQLite's default, DELETE: WAL would need a writable directory to read and shared memory, which
// network file systems lack, and a store of names is written seldom. The disk is waited for where it must be (unforced.ts).
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { names } from './blob-files.ts';
import {
  assertSound,
  type DatabaseSync,
  databaseError,
  FINISHING,
  isDamaged,
  READ_PATIENCE,
  whenFree,
  withDatabase,
} from './database.ts';
import {
  entryDescriptor,
  entryText,
  type IndexEntry,
  indexBytes,
  indexStamp,
  readIndexFile,
  stampOf,
} from './index-file.ts';
import { acquireLock } from './lock.ts';
import type { StorePaths } from './paths.ts';
import { unforcedMark } from './unforced.ts';
import { replaceFile } from './write-file.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS refs (name TEXT PRIMARY KEY, descriptor TEXT NOT NULL, twin TEXT NOT NULL, updated TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

/**
 * One transaction: takes in what another tool did to index.json, makes the change, writes index.json anew, commits.
 * Takes 2 ms, and 15 ms among 10,000 names. A process that dies between the last two leaves an index.json that is one
 * change ahead; it counts as another tool's. `waiting` is called before each attempt but the first. A damaged database
 * is made anew from index.json.
 */
export async function change<T>(
  paths: StorePaths,
  work: (database: DatabaseSync) => T,
  waiting?: () => void,
): Promise<T> {
  let isLate = false;
  const attempt = (): T => {
    if (isLate) waiting?.();
    isLate = true;
    return changeNow(paths, work);
  };
  try {
    return await whenFree(attempt).catch(async (error: unknown) => {
      if (!isDamaged(error) || !existsSync(paths.indexFile)) throw error;
      await removeDamaged(paths);
      return whenFree(attempt);
    });
  } catch (error) {
    throw databaseError(error, paths.database);
  }
}

function changeNow<T>(paths: StorePaths, work: (database: DatabaseSync) => T): T {
  const mark = unforcedMark(paths.root);
  return withDatabase(paths.database, { timeout: 0 }, (database) => {
    if (mark !== undefined) database.exec('PRAGMA synchronous = OFF');
    database.exec('BEGIN IMMEDIATE');
    database.exec(`PRAGMA busy_timeout = ${FINISHING}; ${SCHEMA}`);
    adopt(paths, database);
    const result = work(database);
    sweep(paths);
    const stamp = stampOf(replaceFile(paths.indexFile, indexBytes(allEntries(database))), mark);
    database.prepare("INSERT OR REPLACE INTO meta VALUES ('index', ?)").run(stamp);
    database.exec('COMMIT');
    return result;
  });
}

/** True when there is a database of names and it is damaged: names are then read from index.json. Takes 10 ms for 10,000. */
export function isNamesDatabaseDamaged(paths: StorePaths): boolean {
  if (!existsSync(paths.database)) return false;
  try {
    withDatabase(paths.database, { timeout: READ_PATIENCE }, assertSound);
    return false;
  } catch (error) {
    if (isDamaged(error)) return true;
    throw databaseError(error, paths.database);
  }
}

/** Under a lock: a database that another process has made anew meanwhile stays. */
async function removeDamaged(paths: StorePaths): Promise<void> {
  const lock = await acquireLock(`${paths.database}.lock`);
  try {
    if (!isNamesDatabaseDamaged(paths)) return;
    // The journal first: it would be played back into the new one.
    for (const path of [`${paths.database}-journal`, paths.database]) rmSync(path, { force: true });
  } finally {
    lock.remove();
  }
}

/** The JSON of all entries, by name: each name that is set writes all of them, so that nothing is made of them on the way. */
function allEntries(database: DatabaseSync): Uint8Array {
  // The rows lie in this order. An ORDER BY within group_concat sorts them again, which takes three times as long, and as
  // text they would be decoded and encoded.
  const all = database.prepare(
    `SELECT CAST(group_concat(entry, ',' || char(10)) AS BLOB) AS entries
      FROM (SELECT descriptor || twin AS entry FROM refs ORDER BY name)`,
  );
  return (all.get()?.entries as Uint8Array | null | undefined) ?? new Uint8Array();
}

/** Names that another tool (skopeo, oras) wrote to index.json become ours; none of ours is lost if it wrote an old list. */
function adopt(paths: StorePaths, database: DatabaseSync): void {
  if (isOurs(paths, database)) return;
  // The machine may have lost its power since the last change.
  assertSound(database);
  for (const entry of foreignEntries(paths, database)) {
    const text = entry.key.startsWith('@')
      ? JSON.stringify(entry.descriptor)
      : entryText(entry.key, entry.descriptor);
    upsert(database, entry.key, text);
  }
}

/** Removes what a process left that was killed while it wrote index.json: whoever holds the lock is its only writer. */
function sweep(paths: StorePaths): void {
  for (const name of names(paths.root)) {
    if (/^index\.json\..*\.tmp$/.test(name)) rmSync(join(paths.root, name), { force: true });
  }
}

export function upsert(database: DatabaseSync, key: string, text: string, twin = ''): void {
  database
    .prepare('INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?)')
    .run(key, text, twin, new Date().toISOString());
}

/** Answers from the database, or from both when another tool wrote index.json or there is no database (yet). */
export function read<T>(
  paths: StorePaths,
  fromDatabase: (database: DatabaseSync) => T,
  fromEntries: (entries: Map<string, Descriptor>) => T,
): T {
  const fromFile = (): T => fromEntries(toMap(readIndexFile(paths.indexFile)));
  if (!existsSync(paths.database)) return fromFile();
  try {
    return withDatabase(paths.database, { timeout: READ_PATIENCE }, (database) => {
      if (isOurs(paths, database)) return fromDatabase(database);
      const merged = toMap(rows(database));
      for (const entry of foreignEntries(paths, database)) merged.set(entry.key, entry.descriptor);
      return fromEntries(merged);
    });
  } catch (error) {
    const failure = databaseError(error, paths.database);
    if (isDamaged(error) && existsSync(paths.indexFile)) return fromFile();
    // A read-only file system with the journal of a killed writer on it: index.json says the same.
    if (failure.code === 'PERMISSION') return fromFile();
    throw failure;
  }
}

function isOurs(paths: StorePaths, database: DatabaseSync): boolean {
  if (!hasTables(database)) return false;
  const stamp = database.prepare("SELECT value FROM meta WHERE key = 'index'").get()?.value;
  return stamp !== undefined && stamp === indexStamp(paths.indexFile, unforcedMark(paths.root));
}

/** What index.json says; nothing when it is damaged and the database can replace it. */
function foreignEntries(paths: StorePaths, database: DatabaseSync): IndexEntry[] {
  try {
    return readIndexFile(paths.indexFile);
  } catch (error) {
    if (isOciError(error, 'STORE_INVALID') && rows(database).length > 0) return [];
    throw error;
  }
}

export function rows(database: DatabaseSync): IndexEntry[] {
  if (!hasTables(database)) return [];
  const all = database.prepare('SELECT name, descriptor FROM refs');
  // Objects would take a quarter longer.
  all.setReturnArrays(true);
  return (all.all() as unknown as [string, string][]).map(([key, text]) => ({
    key,
    descriptor: entryDescriptor(text),
  }));
}

/** False for the empty file that a process leaves which was killed before its first commit. */
function hasTables(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() !== undefined;
}

function toMap(entries: IndexEntry[]): Map<string, Descriptor> {
  return new Map(entries.map((entry) => [entry.key, entry.descriptor]));
}
