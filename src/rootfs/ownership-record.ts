// How a tree that belongs to one user says whose its entries really are, in forms that other tools read:
//
// - `user.rootlesscontainers` (github.com/rootless-containers/proto): owner and group. umoci, PRoot and apptainer know
//   it. What has none is root's.
// - `user.containers.override_stat` (containers/storage, fuse-overlayfs): owner, mode and kind, for what is on disk in
//   another shape than the image has it.
// - mtree(5) for what can have no attribute: a line of text, which bsdtar reads.
import type { TreeNode } from './tree.ts';

export const OWNER_ATTRIBUTE = 'user.rootlesscontainers';
export const STAT_ATTRIBUTE = 'user.containers.override_stat';

/** "As it is on disk": the caller's own id, which stands for root. */
const NO_CHANGE = 0xffff_ffff;

/** The message `Resource { uint32 uid = 1; uint32 gid = 2; }`, with root's ids left as they are, as umoci writes it. */
export function ownerMessage({ uid, gid }: Pick<TreeNode, 'uid' | 'gid'>): Uint8Array {
  return Uint8Array.from([...field(1, uid || NO_CHANGE), ...field(2, gid || NO_CHANGE)]);
}

/** A field of wire type 0, a base-128 number with its low bits first. */
function field(number: number, value: number): number[] {
  const bytes = [number << 3];
  let left = value;
  for (; left > 0x7f; left = Math.floor(left / 128)) bytes.push((left % 128) | 0x80);
  return [...bytes, left];
}

const STAT_KINDS: Readonly<Record<TreeNode['kind'], string>> = {
  file: 'file',
  directory: 'dir',
  symlink: 'symlink',
  fifo: 'pipe',
  char: 'char',
  block: 'block',
};

/** `uid:gid:mode:kind`, the mode in octal, a device's numbers behind its kind: `0:0:0666:char-1-3`. */
export function statText({ kind, mode, uid, gid, major, minor }: TreeNode): string {
  const numbers = kind === 'char' || kind === 'block' ? `-${major}-${minor}` : '';
  return `${uid}:${gid}:${mode.toString(8).padStart(4, '0')}:${STAT_KINDS[kind]}${numbers}`;
}

const MTREE_KINDS: Readonly<Record<TreeNode['kind'], string>> = {
  file: 'file',
  directory: 'dir',
  symlink: 'link',
  fifo: 'fifo',
  char: 'char',
  block: 'block',
};

/** The line of mtree(5) for the node at `path` (a byte string, from the root, without a leading slash). */
export function mtreeLine(node: TreeNode, path: string): string {
  const { kind, mode, uid, gid, major, minor, target } = node;
  const words = [path === '' ? '.' : `./${escaped(path)}`, `type=${MTREE_KINDS[kind]}`];
  words.push(`uid=${uid}`, `gid=${gid}`, `mode=${mode.toString(8).padStart(4, '0')}`);
  if (kind === 'symlink') words.push(`link=${escaped(target)}`);
  if (kind === 'char' || kind === 'block') words.push(`device=linux,${major},${minor}`);
  return words.join(' ');
}

/** Bytes that mean something to the format, or nothing to a reader, as vis(3) writes them: `\040`. */
function escaped(text: string): string {
  return text.replace(/[^!-~]|[\\#=*?[]/g, (byte) => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
