// What operations share while a plan is carried out: the kernel, what earlier ones opened, and the one way to a path
// inside the container.
import { type Argument, bytes, type CallName, failedWith, type Kernel, kernel } from '../kernel.ts';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  EAGAIN,
  EEXIST,
  EINVAL,
  ENOENT,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from './numbers.ts';
import type { Operation, Slot } from './operation.ts';
import type { Report } from './report.ts';

/** Carries out operations of one name. */
export type Handler<Name extends Operation['do']> = (
  context: Context,
  operation: Extract<Operation, { do: Name }>,
) => void;

export type Handlers<Names extends Operation['do']> = { [Name in Names]: Handler<Name> };

export interface Context {
  kernel: Kernel;
  call(name: CallName, ...args: Argument[]): number;
  /** Descriptors of detached mounts. */
  slots: Map<Slot, number>;
  /** O_PATH descriptor of the container's root; -1 until there is one. */
  root: number;
  /** The socket to the starter. */
  starter: number;
  /** The pidfd of the container's first process, where the starter passes one. */
  container: number;
  report(report: Report): void;
}

/** How a path inside the container is looked up. */
export interface Lookup {
  /** Of open(2); default O_PATH. */
  flags?: number;
  /** Default true; magic links are never followed. */
  links?: boolean;
}

export function newContext(starter: number, container: number, report: Context['report']): Context {
  const { call } = kernel();
  return { kernel: kernel(), call, slots: new Map(), root: -1, starter, container, report };
}

/** Opens a path of the container: absolute links start at its root, and `..` ends there. */
export function openInside(
  context: Context,
  path: string,
  { flags = O_PATH, links = true }: Lookup = {},
): number {
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (links ? 0 : RESOLVE_NO_SYMLINKS);
  return openHow(context, context.root, path, flags, resolve);
}

/** More than any busy machine has needed; a bound all the same. */
const LOOKUPS = 1000;

/**
 * openat2(2). Below a root the kernel gives up at a `..` when anything anywhere on the machine was renamed or mounted
 * meanwhile (EAGAIN): that is nobody's fault, and asked again.
 */
export function openHow(
  { call }: Context,
  folder: number,
  path: string,
  flags: number,
  resolve: number,
): number {
  const how = bytes(24);
  how.view.setBigUint64(0, BigInt(flags | O_CLOEXEC), true);
  how.view.setBigUint64(16, BigInt(resolve), true);
  for (let left = LOOKUPS; ; left--) {
    try {
      return call('openat2', folder, path, how, how.length);
    } catch (error) {
      if (left === 1 || !failedWith(error, EAGAIN)) throw error;
    }
  }
}

/** As many links as the kernel follows. */
const MAX_LINKS = 40;

/**
 * Opens a path of the container; directories that are missing are made, and the last part as `kind` says. Links to what
 * is not there yet are gone after, for many an image has one at /etc/resolv.conf.
 */
export function ensureInside(
  context: Context,
  path: string,
  kind: 'directory' | 'file',
  lookup: Lookup,
  linksLeft = MAX_LINKS,
): number {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  let folder = openInside(context, '/');
  for (const [index, part] of parts.entries()) {
    const parent = `/${parts.slice(0, index).join('/')}`;
    const soFar = `${parent}/${part}`;
    let next: number;
    try {
      next = openInside(context, soFar, lookup);
    } catch (error) {
      if (!failedWith(error, ENOENT) || part === '..') throw error;
      const target = linkTarget(context, folder, part);
      if (target !== undefined) {
        if (linksLeft === 0) throw error;
        context.call('close', folder);
        const from = target.startsWith('/') ? target : `${parent}/${target}`;
        const rest = parts.slice(index + 1).join('/');
        return ensureInside(context, `${from}/${rest}`, kind, lookup, linksLeft - 1);
      }
      if (index === parts.length - 1 && kind === 'file') createFile(context, folder, part);
      else createDirectory(context, folder, part);
      next = openInside(context, soFar, lookup);
    }
    context.call('close', folder);
    folder = next;
  }
  return folder;
}

/** Where a link leads; undefined for anything else, and for nothing. */
function linkTarget({ call }: Context, folder: number, name: string): string | undefined {
  const target = bytes(4096);
  try {
    const length = call('readlinkat', folder, name, target, target.length);
    return new TextDecoder().decode(target.subarray(0, length));
  } catch (error) {
    if (failedWith(error, ENOENT, EINVAL)) return undefined;
    throw error;
  }
}

function createDirectory({ call }: Context, folder: number, name: string): void {
  try {
    call('mkdirat', folder, name, 0o755);
  } catch (error) {
    if (!failedWith(error, EEXIST)) throw error;
  }
}

function createFile({ call }: Context, folder: number, name: string): void {
  try {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    call('close', call('openat', folder, name, flags, 0o644));
  } catch (error) {
    if (!failedWith(error, EEXIST)) throw error;
  }
}

/** The parent directory of a path of the container, opened, and the last part. */
export function openParent(context: Context, path: string): [folder: number, name: string] {
  const slash = path.lastIndexOf('/');
  const flags = O_PATH | O_DIRECTORY;
  return [openInside(context, path.slice(0, slash) || '/', { flags, links: false }), path.slice(slash + 1)];
}

export interface Status {
  /** Type and permissions. */
  mode: number;
  major: number;
  minor: number;
}

export function statusOf({ call }: Context, descriptor: number): Status {
  const status = bytes(256);
  const BASIC = 0x7ff;
  call('statx', descriptor, '', AT_EMPTY_PATH, BASIC, status);
  return {
    mode: status.view.getUint16(28, true),
    major: status.view.getUint32(128, true),
    minor: status.view.getUint32(132, true),
  };
}

/** Writes a whole small file of the kernel's. `folder` is AT_FDCWD or a descriptor. */
export function writeFile({ call }: Context, file: number, text: string): void {
  try {
    const content = new TextEncoder().encode(text);
    call('write', file, bytes(content), content.length);
  } finally {
    call('close', file);
  }
}

/** Writes a file of the host, before the pivot. */
export function writeHostFile(context: Context, path: string, text: string): void {
  writeFile(context, context.call('openat', AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0), text);
}
