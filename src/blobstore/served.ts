// What `serve` knows beyond the names: manifests pushed without a tag, who refers to whom, and what was
// deleted from a repository while other repositories share its bytes.
//
// In the database of names, but not in index.json: other tools would take a signature pushed by digest for an image.
import { existsSync } from 'node:fs';
import type { Descriptor } from '../manifest/descriptor.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { DatabaseSync, databaseError, FINISHING, READ_PATIENCE, whenFree } from './database.ts';
import { entryDescriptor } from './index-file.ts';
import { blobPath, type StorePaths } from './paths.ts';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS served (
    repository TEXT NOT NULL, reference TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, subject TEXT NOT NULL,
    descriptor TEXT NOT NULL, PRIMARY KEY (repository, reference)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS served_by_subject ON served (subject);
`;

/** A manifest that was pushed to a repository, by digest or as a referrer. */
export interface PushedManifest {
  repository: string;
  descriptor: Descriptor;
  /** The digest in its `subject`. */
  subject: Digest | undefined;
}

/** Keeps a manifest of the repository though it has no tag. `confirm` is called within the transaction, and may throw. */
export async function recordPushed(
  paths: StorePaths,
  manifest: PushedManifest,
  confirm?: () => void,
): Promise<void> {
  const { repository, descriptor, subject } = manifest;
  const { digest } = descriptor;
  await put(
    paths,
    [repository, digest, 'pushed', digest, subject ?? '', JSON.stringify(descriptor)],
    confirm,
  );
}

/** The repository has this blob or manifest no more; the store may still hold it for others. */
export async function recordRemoved(paths: StorePaths, repository: string, digest: Digest): Promise<void> {
  await put(paths, [repository, digest, 'removed', digest, '', '']);
}

/** The repository has the blob again. */
export async function recordRestored(paths: StorePaths, repository: string, digest: Digest): Promise<void> {
  if (!isRemoved(paths, repository, digest)) return;
  await write(paths, (database) => {
    database
      .prepare("DELETE FROM served WHERE repository = ? AND reference = ? AND kind = 'removed'")
      .run(repository, digest);
  });
}

export function isRemoved(paths: StorePaths, repository: string, digest: Digest): boolean {
  return row(paths, repository, digest)?.kind === 'removed';
}

/** True when something was ever pushed to the repository or deleted from it. */
export function isServed(paths: StorePaths, repository: string): boolean {
  return read(paths, false, (database) => {
    return (
      database.prepare('SELECT 1 FROM served WHERE repository = ? LIMIT 1').get(repository) !== undefined
    );
  });
}

/** The manifests of all repositories whose subject this is, by digest. */
export function referrersAnywhere(paths: StorePaths, subject: Digest): Descriptor[] {
  return read(paths, [], (database) =>
    database
      .prepare(
        "SELECT descriptor FROM served WHERE kind = 'pushed' AND subject = ? GROUP BY digest ORDER BY digest",
      )
      .all(subject)
      .map((found) => entryDescriptor(String(found.descriptor))),
  );
}

/** Every manifest that was pushed and not deleted. */
export function listPushed(paths: StorePaths): PushedManifest[] {
  return read(paths, [], (database) =>
    database
      .prepare("SELECT repository, subject, descriptor FROM served WHERE kind = 'pushed'")
      .all()
      .map(({ repository, subject, descriptor }) => ({
        repository: String(repository),
        descriptor: entryDescriptor(String(descriptor)),
        subject: isDigest(String(subject)) ? (subject as Digest) : undefined,
      })),
  );
}

/** Forgets what is said about blobs that are gone. */
export async function forgetGone(paths: StorePaths): Promise<void> {
  const digests = read(paths, [] as string[], (database) =>
    database
      .prepare('SELECT DISTINCT digest FROM served')
      .all()
      .map((found) => String(found.digest)),
  );
  const isGone = (digest: string): boolean => !existsSync(blobPath(paths, digest as Digest));
  const gone = digests.filter(isGone);
  if (gone.length === 0) return;
  await write(paths, (database) => {
    const remove = database.prepare('DELETE FROM served WHERE digest = ?');
    // Looked at again: one may have been pushed since.
    for (const digest of gone) if (isGone(digest)) remove.run(digest);
  });
}

type Values = [
  repository: string,
  reference: string,
  kind: string,
  digest: string,
  subject: string,
  descriptor: string,
];

function put(paths: StorePaths, values: Values, confirm?: () => void): Promise<void> {
  const insert = 'INSERT OR REPLACE INTO served VALUES (?, ?, ?, ?, ?, ?)';
  return write(
    paths,
    (database) => {
      confirm?.();
      database.prepare(insert).run(...values);
    },
    confirm,
  );
}

function row(paths: StorePaths, repository: string, reference: string): Record<string, unknown> | undefined {
  return read(paths, undefined, (database) =>
    database
      .prepare('SELECT * FROM served WHERE repository = ? AND reference = ?')
      .get(repository, reference),
  );
}

/** `waiting` is called before each attempt but the first. */
function write(
  paths: StorePaths,
  work: (database: DatabaseSync) => void,
  waiting?: () => void,
): Promise<void> {
  let isLate = false;
  return whenFree(() => {
    if (isLate) waiting?.();
    isLate = true;
    const database = new DatabaseSync(paths.database, { timeout: 0 });
    try {
      database.exec('BEGIN IMMEDIATE');
      database.exec(`PRAGMA busy_timeout = ${FINISHING}; ${SCHEMA}`);
      work(database);
      database.exec('COMMIT');
    } finally {
      database.close();
    }
  }).catch((error: unknown) => {
    throw databaseError(error, paths.database);
  });
}

function read<T>(paths: StorePaths, nothing: T, work: (database: DatabaseSync) => T): T {
  if (!existsSync(paths.database)) return nothing;
  try {
    const database = new DatabaseSync(paths.database, { timeout: READ_PATIENCE });
    try {
      const there = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'served'").get();
      return there === undefined ? nothing : work(database);
    } finally {
      database.close();
    }
  } catch (error) {
    throw databaseError(error, paths.database);
  }
}
