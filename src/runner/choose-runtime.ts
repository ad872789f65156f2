// Which driver starts a container: the one asked for, or the first OCI runtime that works here, or our own.
import { accessSync, constants } from 'node:fs';
import { basename, join } from 'node:path';
import { OciError } from '../errors.ts';
import type { RuntimeChoice } from './container.ts';

/** Tried in this order. */
const KNOWN = ['crun', 'runc', 'youki'];
/** Where runtimes are that a user's PATH does not name. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Throws UNSUPPORTED. */
export async function chooseRuntime(asked: string): Promise<RuntimeChoice> {
  if (asked === 'builtin') return { name: 'builtin', missing: [] };
  for (const name of asked === 'auto' ? KNOWN : [asked]) {
    const path = findProgram(name);
    if (path !== undefined) return { name: basename(path), path, missing: [] };
  }
  throw new OciError('UNSUPPORTED', `${asked}: no such runtime`);
}

/** An executable file by its name in PATH, or by its path. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':'), ...SYSTEM_FOLDERS].filter((folder) => folder !== '');
  const paths = name.includes('/') ? [name] : folders.map((folder) => join(folder, name));
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
