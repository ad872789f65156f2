// The merged tree: what an image's layers amount to, in memory. Everything about files is answered from here.
//
// Names are byte strings: one character per byte (latin1), so that names which are not UTF-8 survive and ASCII
// names, nearly all there are, cost nothing. `textOf` and `bytesOf` turn them into text for people and back.

export type NodeKind = 'file' | 'directory' | 'symlink' | 'char' | 'block' | 'fifo';

/**
 * One name in the tree; the same shape for every kind so that property reads stay monomorphic. In a merged tree a
 * directory's children are made when they are first asked for, and are the same ever after.
 */
export interface TreeNode {
  kind: NodeKind;
  /** Permission bits, setuid, setgid and sticky included (0o7777). */
  mode: number;
  uid: number;
  gid: number;
  /** Whole seconds since 1970, rounded down, and the nanoseconds on top. */
  mtime: number;
  mtimeNanos: number;
  /** Bytes of a file, holes included; 0 for everything else. */
  size: number;
  /** Symlink: the target as written, a byte string. Otherwise empty. */
  target: string;
  /** Devices only. */
  major: number;
  minor: number;
  /** Values by attribute name (a byte string). */
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** Index of the layer, lowest is 0, that put this name here (for a directory: that last described it). */
  layer: number;
  /** Index of the entry in that layer; -1 for a directory nobody declared. */
  entry: number;
  /** Set on a hard link: the node whose content and metadata this name shares. Compare with `inodeOf`. */
  origin: TreeNode | undefined;
  /** Directories only, in the order names appeared. */
  readonly children: ReadonlyMap<string, TreeNode> | undefined;
  /** The entry's name led here through a symlink, so it was not staged under this path. */
  displaced: boolean;
}

export interface Tree {
  root: TreeNode;
  /** How many layers were merged. */
  layers: number;
}

/** A node of the given kind with nothing else known of it. */
export function createNode(kind: NodeKind, layer: number, entry: number): TreeNode {
  return {
    kind,
    mode: 0,
    uid: 0,
    gid: 0,
    mtime: 0,
    mtimeNanos: 0,
    size: 0,
    target: '',
    major: 0,
    minor: 0,
    xattrs: undefined,
    layer,
    entry,
    origin: undefined,
    children: kind === 'directory' ? new Map() : undefined,
    displaced: false,
  };
}

/** The children of a directory in the order of their names' bytes; none of anything else. */
export function sortedChildren(node: TreeNode): Array<[string, TreeNode]> {
  return [...(node.children ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The node that carries content: hard links to one file have the same inode. */
export function inodeOf(node: TreeNode): TreeNode {
  return node.origin ?? node;
}

const NOT_ASCII = /[^\x00-\x7f]/;

/** A byte string as text for people: UTF-8, with U+FFFD for bytes that are not. */
export function textOf(name: string): string {
  return NOT_ASCII.test(name) ? Buffer.from(name, 'latin1').toString('utf8') : name;
}

/** Text as the byte string of its UTF-8. */
export function bytesOf(text: string): string {
  return NOT_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
}

/** A byte string as what `fs` takes. */
export function fsPath(path: string): string | Buffer {
  return NOT_ASCII.test(path) ? Buffer.from(path, 'latin1') : path;
}
