// The small init for `--init`: a program of the host that reaps and passes on signals. There is none of our own. Node
// would be one of 40 MB whose other threads keep the host's root and all capabilities, and what is linked with libraries
// does not run in an image that lacks them. So it must be static, as these are wherever containers are at home.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { EXECUTABLE_HEAD, readExecutable } from '../spec/elf.ts';

const NAMES = ['catatonit', 'tini-static', 'docker-init', 'tini'];
/** Where packages keep what is not for a shell. */
const FOLDERS = [
  '/usr/libexec/podman',
  '/usr/lib/podman',
  '/usr/libexec/docker',
  '/usr/bin',
  '/usr/sbin',
  '/sbin',
];

/** Path of a static init, or undefined. `path`: `$PATH`. */
export function findStaticInit(path = process.env.PATH ?? ''): string | undefined {
  const folders = [...path.split(':').filter((folder) => folder.startsWith('/')), ...FOLDERS];
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isStatic);
}

function isStatic(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return false;
  }
  try {
    const head = Buffer.alloc(EXECUTABLE_HEAD);
    const program = readExecutable(head.subarray(0, readSync(file, head, 0, head.length, 0)));
    return program.kind === 'elf' && program.loader === undefined;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}
