// The store's names: set, moved, taken away, looked up.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Descriptor } from '../manifest/descriptor.ts';
import { entryDescriptor, entryText, type IndexEntry } from './index-file.ts';
import { change, read, rows, upsert } from './names-database.ts';
import { blobPath, type StorePaths } from './paths.ts';
import { twinOf } from './twin.ts';
import { replaceFile } from './write-file.ts';

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
