// Goes over a finished tree that belongs to one user and writes down whose its entries are in the image. Devices become
// empty files. Setuid and setgid go, on disk: on a file that is the caller's they would lend the caller's rights, not
// the image's, to everybody on the machine.
import { chmodSync, closeSync, constants, linkSync, openSync } from 'node:fs';
import { constants as os } from 'node:os';
import { mtreeLine, OWNER_ATTRIBUTE, ownerMessage, STAT_ATTRIBUTE, statText } from './ownership-record.ts';
import { setTimesAt } from './set-times.ts';
import { stageError } from './stage-writer.ts';
import { syscalls } from './syscalls.ts';
import { fsPath, inodeOf, type Tree, type TreeNode } from './tree.ts';

export interface OwnershipRecord {
  /** Entries of others than root, devices, and files that lost setuid or setgid. */
  entries: number;
  /** Of these, what no attribute could hold: lines of mtree(5). */
  aside: string[];
}

const SETUID_SETGID = 0o6000;
const OWNER_MAY = 0o700;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Records the tree's owners at `rootfs`, where it was placed, private and complete but for its devices.
 * Throws DISK_FULL, PERMISSION, IO.
 */
export function recordOwnership(tree: Tree, rootfs: string): OwnershipRecord {
  const calls = syscalls();
  const record: OwnershipRecord = { entries: 0, aside: [] };
  /** The first name of each inode that has several. */
  const done = new Map<TreeNode, string>();
  let attributesWork = calls !== undefined;
  visitDirectory(tree.root, rootfs);
  return record;

  function visitDirectory(node: TreeNode, path: string): void {
    const shut = (node.mode & OWNER_MAY) !== OWNER_MAY;
    if (shut) chmodSync(fsPath(path), node.mode | OWNER_MAY);
    let added = false;
    for (const [name, child] of node.children ?? []) {
      const childPath = `${path}/${name}`;
      if (child.kind === 'directory') visitDirectory(child, childPath);
      else added = guarded(childPath, () => visitLeaf(inodeOf(child), childPath)) || added;
    }
    guarded(path, () => {
      if (node.uid !== 0 || node.gid !== 0) writeDown(node, path, false);
      if (shut) chmodSync(fsPath(path), node.mode);
      if (added) setTimesAt(fsPath(path), node.mtime, node.mtimeNanos);
    });
  }

  /** True when it made something. */
  function visitLeaf(node: TreeNode, path: string): boolean {
    const { kind, mode, uid, gid } = node;
    const isDevice = kind === 'char' || kind === 'block';
    const first = done.get(node);
    if (first !== undefined) {
      if (isDevice) linkSync(fsPath(first), fsPath(path));
      return isDevice;
    }
    done.set(node, path);
    const lends = kind === 'file' && (mode & SETUID_SETGID) !== 0;
    if (!isDevice && !lends && uid === 0 && gid === 0) return false;
    if (isDevice) closeSync(openSync(fsPath(path), CREATE, 0o600));
    const modeOnDisk = isDevice ? mode & 0o666 : mode & ~SETUID_SETGID;
    if (kind !== 'symlink' && (isDevice || lends || (mode & 0o200) === 0)) {
      chmodSync(fsPath(path), modeOnDisk | 0o200);
    }
    writeDown(node, path, isDevice || lends);
    if (kind !== 'symlink' && (modeOnDisk & 0o200) === 0) chmodSync(fsPath(path), modeOnDisk);
    if (isDevice) setTimesAt(fsPath(path), node.mtime, node.mtimeNanos);
    return isDevice;
  }

  function writeDown(node: TreeNode, path: string, otherShape: boolean): void {
    record.entries++;
    const noOwner = node.uid === 0 && node.gid === 0;
    const written =
      node.kind !== 'symlink' &&
      node.kind !== 'fifo' &&
      (noOwner || setAttribute(path, OWNER_ATTRIBUTE, ownerMessage(node))) &&
      (!otherShape || setAttribute(path, STAT_ATTRIBUTE, Buffer.from(statText(node))));
    if (!written) record.aside.push(mtreeLine(node, path.slice(rootfs.length + 1)));
  }

  /** False where there is no room for it; a file system without attributes is asked once. */
  function setAttribute(path: string, name: string, value: Uint8Array): boolean {
    if (!attributesWork || calls === undefined) return false;
    const errno = calls.lsetxattr(Buffer.from(path, 'latin1'), Buffer.from(name), value);
    if (errno === os.errno.ENOTSUP) attributesWork = false;
    return errno === 0;
  }

  function guarded<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw stageError(error, path.slice(rootfs.length + 1));
    }
  }
}
