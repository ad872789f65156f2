// Reading a mounted root file system without ever leaving it: paths are walked name by name from a descriptor of its
// top, symbolic links are followed by hand inside it, nothing is opened that is not known to be a file or a directory.
import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { posix } from 'node:path';
import { OciError, systemCode } from '../../errors.ts';

/** O_PATH: a place in the tree, not yet opened: no device is touched, no FIFO waits. The same number on x64 and arm64. */
const O_PATH = 0o10000000;
const HERE = O_PATH | constants.O_NOFOLLOW;
/** As Linux counts (path_resolution(7)). */
const MAX_LINKS = 40;

/** What is at a path, symbolic links followed. */
export interface FoundInside {
  /** Where it is in the end, absolute, inside. */
  path: string;
  stats: Stats;
}

export interface Inside {
  /** Undefined when there is nothing; `mounted` when the way leads through a mount, so that nobody knows yet. */
  find(path: string): FoundInside | 'mounted' | undefined;
  /** Up to `limit` bytes of a regular file; undefined when there is none. */
  read(path: string, limit: number): Buffer | undefined;
  close(): void;
}

/**
 * Looks into the tree at `root`, a directory that the caller trusts: a mount of ours, or `/proc/PID/root`. `mounts` are
 * places in it where something else will be, absolute and normalised.
 */
export function openInside(root: string, mounts: readonly string[] = []): Inside {
  const top = openSync(root, O_PATH | constants.O_DIRECTORY);
  const covered = new Set(mounts);
  return {
    find: (path) =>
      visit({ top, covered }, path, (descriptor, at) => ({ path: at, stats: fstatSync(descriptor) })),
    read: (path, limit) => {
      const bytes = visit({ top, covered }, path, (descriptor) =>
        fstatSync(descriptor).isFile() ? readStart(descriptor, limit) : undefined,
      );
      return bytes === 'mounted' ? undefined : bytes;
    },
    close: () => closeSync(top),
  };
}

/** The file's text for `resolveUser` and the like, empty when there is none. Throws LIMIT_EXCEEDED beyond `limit` bytes. */
export function textInside(inside: Inside, path: string, limit: number): string {
  const bytes = inside.read(path, limit + 1);
  if (bytes === undefined) return '';
  if (bytes.length <= limit) return bytes.toString();
  throw new OciError('LIMIT_EXCEEDED', `${path} of the image is larger than ${limit} bytes`);
}

/** Opens again what an O_PATH descriptor stands for, for reading. */
function readStart(descriptor: number, limit: number): Buffer {
  const file = openSync(`/proc/self/fd/${descriptor}`, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const bytes = Buffer.alloc(Math.min(limit, fstatSync(file).size));
    let length = 0;
    while (length < bytes.length) {
      const count = readSync(file, bytes, length, bytes.length - length, length);
      if (count === 0) break;
      length += count;
    }
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/** Walks to `path` and calls `then` with a descriptor of what is there; undefined when the way ends before. */
function visit<T>(
  { top, covered }: { top: number; covered: ReadonlySet<string> },
  path: string,
  then: (descriptor: number, path: string) => T,
): T | 'mounted' | undefined {
  const way: Array<{ name: string; descriptor: number }> = [];
  const ahead = path.split('/').reverse();
  let followed = 0;
  const here = (): number => way.at(-1)?.descriptor ?? top;
  const at = (): string => `/${way.map(({ name }) => name).join('/')}`;
  const leave = (): void => {
    const last = way.pop();
    if (last !== undefined) closeSync(last.descriptor);
  };
  try {
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        leave();
        continue;
      }
      const lexical = posix.join(at(), name);
      if (covered.has(lexical)) return 'mounted';
      const entry = `/proc/self/fd/${here()}/${name}`;
      const descriptor = open(entry);
      if (descriptor === undefined) {
        // A mount below is made with the directories that lead to it.
        const rest = posix.join(lexical, ...ahead.toReversed());
        return [...covered].some((mount) => `${rest}/`.startsWith(`${mount}/`)) ? 'mounted' : undefined;
      }
      if (!fstatSync(descriptor).isSymbolicLink()) {
        way.push({ name, descriptor });
        continue;
      }
      closeSync(descriptor);
      if (++followed > MAX_LINKS) return undefined;
      const target = readlinkSync(entry);
      if (target.startsWith('/')) while (way.length > 0) leave();
      ahead.push(...target.split('/').reverse());
    }
    return then(here(), at());
  } finally {
    while (way.length > 0) leave();
  }
}

/** Undefined when there is no such name, or its parent is no directory. */
function open(path: string): number | undefined {
  try {
    return openSync(path, HERE);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'EACCES')
      return undefined;
    throw error;
  }
}
