// Names, safe with many processes at once: a database row and index.json change in one transaction (c/image#1028,
// oras#149, ggcr#849 and buildah#5581 are what happens with index.json alone).
//
// The journal is SQLite's default, DELETE: WAL would need a writable directory to read and shared memory, which
// network file systems lack, and a store of names is written seldom.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { names } from './blob-files.ts';
import { DatabaseSync, databaseError, FINISHING, READ_PATIENCE, whenFree } from './database.ts';
import {
  entryDescriptor,
  entryText,
  type IndexEntry,
  indexBytes,
  indexStamp,
  readIndexFile,
  stampOf,
} from './index-file.ts';
import { blobPath, type StorePaths } from './paths.ts';
import { twinOf } from './twin.ts';
import { replaceFile } from './write-file.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS refs (name TEXT PRIMARY KEY, descriptor TEXT NOT NULL, twin TEXT NOT NULL, updated TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
`;

/**
 * Lets `name` stand for the descriptor; an image that had no name is then no longer listed without one.
 * `confirm` is called when nobody else can change names, and now and then while that is waited for; it may throw.
 */
export async function setRef(
  paths: StorePaths,
  name: string,
  descriptor: Descriptor,
  confirm?: () => void,
): Promise<void> {
  await change(
    paths,
    (database) => {
      confirm?.();
      database.prepare('DELETE FROM refs WHERE name = ?').run(`@${descriptor.digest}`);
      upsert(database, name, entryText(name, descriptor), twinText(paths, name, descriptor));
    },
    confirm,
  );
}

/** The entry that older tools read, behind the image's own; empty where they read that. */
function twinText(paths: StorePaths, name: string, descriptor: Descriptor): string {
  const twin = twinOf(descriptor);
  if (twin === undefined) return '';
  // Written anew where it is there already: gc must not take an old one away now.
  if (twin.document !== undefined) {
    const blob = blobPath(paths, twin.descriptor.digest);
    mkdirSync(dirname(blob), { recursive: true });
    replaceFile(blob, twin.document);
  }
  return `,\n${entryText(name, twin.descriptor)}`;
}

/** Removes the name or key; false when there was none. */
export async function removeRef(paths: StorePaths, key: string): Promise<boolean> {
  return change(
    paths,
    (database) => database.prepare('DELETE FROM refs WHERE name = ?').run(key).changes > 0,
  );
}

/** The names and keys last set before `time`, sorted; what another tool wrote and we have not taken over yet is not old. */
export function refsBefore(paths: StorePaths, time: Date): string[] {
  return read(
    paths,
    (database) =>
      database
        .prepare('SELECT name FROM refs WHERE updated < ? ORDER BY name')
        .all(time.toISOString())
        .map((row) => String(row.name)),
    () => [],
  );
}

/** Removes those of the keys that nobody has set since `time`; answers which. */
export async function removeRefsBefore(
  paths: StorePaths,
  keys: readonly string[],
  time: Date,
): Promise<string[]> {
  if (keys.length === 0) return [];
  return change(paths, (database) => {
    const remove = database.prepare('DELETE FROM refs WHERE name = ? AND updated < ?');
    return keys.filter((key) => remove.run(key, time.toISOString()).changes > 0);
  });
}

/** The first of `names` that is there. */
export function findRef(paths: StorePaths, names: readonly string[]): Descriptor | undefined {
  return read(
    paths,
    (database) => {
      const select = database.prepare('SELECT descriptor FROM refs WHERE name = ?');
      for (const name of names) {
        const row = select.get(name);
        if (row !== undefined) return entryDescriptor(String(row.descriptor));
      }
      return undefined;
    },
    (entries) => names.map((name) => entries.get(name)).find((descriptor) => descriptor !== undefined),
  );
}

/** Every entry, by name. 10,000 take 20 ms. */
export function listRefs(paths: StorePaths): IndexEntry[] {
  const entries = read(paths, rows, (merged) =>
    [...merged].map(([key, descriptor]) => ({ key, descriptor })),
  );
  return entries.sort((a, b) => (a.key < b.key ? -1 : 1));
}

/**
 * One transaction: takes in what another tool did to index.json, makes the change, writes index.json anew, commits.
 * Takes 2 ms, and 60 ms among 10,000 names. A process that dies between the last two leaves an index.json that is one
 * change ahead; it counts as another tool's. `waiting` is called before each attempt but the first.
 */
function change<T>(paths: StorePaths, work: (database: DatabaseSync) => T, waiting?: () => void): Promise<T> {
  let isLate = false;
  return whenFree(() => {
    if (isLate) waiting?.();
    isLate = true;
    const database = new DatabaseSync(paths.database, { timeout: 0 });
    try {
      database.exec('BEGIN IMMEDIATE');
      database.exec(`PRAGMA busy_timeout = ${FINISHING}; ${SCHEMA}`);
      adopt(paths, database);
      const result = work(database);
      sweep(paths);
      const stamp = stampOf(replaceFile(paths.indexFile, indexBytes(allEntries(database))));
      database.prepare("INSERT OR REPLACE INTO meta VALUES ('index', ?)").run(stamp);
      database.exec('COMMIT');
      return result;
    } finally {
      // Closing rolls back what was not committed.
      database.close();
    }
  }).catch((error: unknown) => {
    throw databaseError(error, paths.database);
  });
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

function upsert(database: DatabaseSync, key: string, text: string, twin = ''): void {
  database
    .prepare('INSERT OR REPLACE INTO refs VALUES (?, ?, ?, ?)')
    .run(key, text, twin, new Date().toISOString());
}

/** Answers from the database, or from both when another tool wrote index.json or there is no database (yet). */
function read<T>(
  paths: StorePaths,
  fromDatabase: (database: DatabaseSync) => T,
  fromEntries: (entries: Map<string, Descriptor>) => T,
): T {
  if (!existsSync(paths.database)) return fromEntries(toMap(readIndexFile(paths.indexFile)));
  try {
    const database = new DatabaseSync(paths.database, { timeout: READ_PATIENCE });
    try {
      if (isOurs(paths, database)) return fromDatabase(database);
      const merged = toMap(rows(database));
      for (const entry of foreignEntries(paths, database)) merged.set(entry.key, entry.descriptor);
      return fromEntries(merged);
    } finally {
      database.close();
    }
  } catch (error) {
    const failure = databaseError(error, paths.database);
    // A read-only file system with the journal of a killed writer on it: index.json says the same.
    if (failure.code === 'PERMISSION') return fromEntries(toMap(readIndexFile(paths.indexFile)));
    throw failure;
  }
}

function isOurs(paths: StorePaths, database: DatabaseSync): boolean {
  if (!hasTables(database)) return false;
  const stamp = database.prepare("SELECT value FROM meta WHERE key = 'index'").get()?.value;
  return stamp !== undefined && stamp === indexStamp(paths.indexFile);
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

function rows(database: DatabaseSync): IndexEntry[] {
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
