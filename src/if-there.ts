// Reading what may not be there yet, which is no failure: a store that is new, a container that has just gone.
import { readdirSync, readFileSync } from 'node:fs';
import { fileError, systemCode } from './errors.ts';

/** A file's text; undefined when there is none. Throws PERMISSION, IO. */
export function textIfThere(path: string): string | undefined {
  return ifThere(path, () => readFileSync(path, 'utf8'));
}

/** The names in a directory, in no order; none when there is none. Throws PERMISSION, IO. */
export function namesIfThere(path: string): string[] {
  return ifThere(path, () => readdirSync(path)) ?? [];
}

function ifThere<T>(path: string, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, path);
  }
}
