// Symlinks, fifos, device nodes and extended attributes on disk, and a count of what this user or this file system
// would not have. Only ever called inside the private folder an unpack builds, and nothing here follows a symlink.
import { spawnSync } from 'node:child_process';
import { chmodSync, lchownSync, symlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { fileError, type OciError } from '../errors.ts';
import { setTimesAt } from './set-times.ts';
import { isOwnerRefused } from './stage-writer.ts';
import { syscalls } from './syscalls.ts';
import { fsPath, type TreeNode, textOf } from './tree.ts';

/** What could not be done as the image says. */
export interface Losses {
  owners: number;
  devices: number;
  xattrs: number;
}

const FILE_TYPE = { fifo: 0o010000, char: 0o020000, block: 0o060000 } as const;
const { ENOTSUP, EPERM, EACCES, ENOSPC, ERANGE, E2BIG, EINVAL } = constants.errno;
const LETTER = { fifo: 'p', char: 'c', block: 'b' } as const;

/** Makes the symlink, fifo or device `node` at `path`. False when it had to be left out. Throws DISK_FULL, PERMISSION, IO. */
export function createSpecial(node: TreeNode, path: string, losses: Losses): boolean {
  const { kind } = node;
  if (kind === 'symlink') symlinkSync(fsPath(node.target), fsPath(path));
  else if (kind === 'fifo' || kind === 'char' || kind === 'block') {
    if (!makeNode(node, kind, path)) {
      losses.devices++;
      return false;
    }
  }
  setOwnerAt(node, path, losses);
  if (kind !== 'symlink') chmodSync(fsPath(path), node.mode);
  setXattrs(node, path, losses);
  setTimesAt(fsPath(path), node.mtime, node.mtimeNanos);
  return true;
}

function makeNode(node: TreeNode, kind: keyof typeof FILE_TYPE, path: string): boolean {
  if (kind !== 'fifo' && process.geteuid?.() !== 0) return false;
  const { major, minor } = node;
  const calls = syscalls();
  if (calls === undefined) {
    const numbers = kind === 'fifo' ? [] : [String(major), String(minor)];
    return (
      spawnSync('mknod', ['--', textOf(path), LETTER[kind], ...numbers], { stdio: 'ignore' }).status === 0
    );
  }
  const device = (BigInt(minor & ~0xff) << 12n) | BigInt((major << 8) | (minor & 0xff));
  const errno = calls.mknod(Buffer.from(path, 'latin1'), FILE_TYPE[kind] | 0o600, device);
  if (errno === 0) return true;
  // In a container, root may not be allowed to.
  if (errno === EPERM || errno === EINVAL) return false;
  throw failed('mknod', errno);
}

/** Gives `path` the node's owner, as far as this user can; what cannot be is counted. */
export function setOwnerAt(node: TreeNode, path: string, losses: Losses): void {
  const { uid, gid } = node;
  if (uid === process.geteuid?.() && gid === process.getegid?.()) return;
  if (process.geteuid?.() !== 0) {
    losses.owners++;
    return;
  }
  try {
    lchownSync(fsPath(path), uid, gid);
  } catch (error) {
    if (!isOwnerRefused(error)) throw error;
    losses.owners++;
  }
}

/** Sets the node's extended attributes; those this file system or user cannot have are counted. */
export function setXattrs(node: TreeNode, path: string, losses: Losses): void {
  for (const [name, value] of node.xattrs ?? []) if (!setXattr(path, name, value)) losses.xattrs++;
}

function setXattr(path: string, name: string, value: Uint8Array): boolean {
  const calls = syscalls();
  if (calls === undefined) {
    const hex = `0x${Buffer.from(value).toString('hex')}`;
    return (
      spawnSync('setfattr', ['-h', '-n', textOf(name), '-v', hex, '--', textOf(path)], { stdio: 'ignore' })
        .status === 0
    );
  }
  const errno = calls.lsetxattr(Buffer.from(path, 'latin1'), Buffer.from(name, 'latin1'), value);
  if (errno === 0) return true;
  // ERANGE, E2BIG and ENOSPC here mean a name or value larger than the file system's room for them.
  if ([ENOTSUP, EPERM, EACCES, EINVAL, ERANGE, E2BIG, ENOSPC].includes(errno)) return false;
  throw failed(`setting ${JSON.stringify(name)}`, errno);
}

function failed(what: string, errno: number): OciError {
  const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
  return fileError(Object.assign(new Error(code), { code }), what);
}
