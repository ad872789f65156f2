// A file or a directory out of an image, without unpacking the rest: as `cp -a` would give it from the unpacked tree.
// Everything is written into a private folder, where no name leads anywhere else, and appears in its place whole.
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  linkSync,
  mkdirSync,
  openSync,
  writeSync,
} from 'node:fs';
import type { Readable } from 'node:stream';
import { OciError, throwIfAborted } from '../errors.ts';
import { baseOf } from '../layer/entry-path.ts';
import { type CopyTarget, openCopyTarget } from './copy-target.ts';
import { exportTree } from './export.ts';
import type { LayerSource } from './layer-source.ts';
import { lookUp } from './look.ts';
import { breathe, type ReopenedLayer, reopenLayer } from './reopen-layer.ts';
import { setTimesAt } from './set-times.ts';
import { createSpecial, type Losses, setOwnerAt, setXattrs } from './special-files.ts';
import { stageError } from './stage-writer.ts';
import { bytesOf, createNode, fsPath, inodeOf, type Tree, type TreeNode, textOf } from './tree.ts';

/** Options of a copy out of an image. */
export interface CopyOutOptions {
  /** Copy what a symlink at the end of the path leads to, not the link. Default false. */
  followLink?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** Options of `copyOut`. */
export interface CopyToDiskOptions extends CopyOutOptions {
  /** Replace a file that is there. Directories are never replaced or merged. Default false. */
  force?: boolean | undefined;
}

export interface CopyOutResult {
  /** Where the copy is, absolute. */
  destination: string;
  /** Names written. */
  entries: number;
  /** Bytes of the files, each counted once. */
  bytes: number;
  losses: Losses;
}

/** What was asked for. */
interface Found {
  node: TreeNode;
  /** The name it was asked for by, a byte string. */
  name: string;
  contentsOnly: boolean;
}

/**
 * Copies what is at `path` in the image to `destination`, by the rules of `docker cp`: into a directory that is there,
 * else under that name; `PATH/.` means what is in the directory. Hard links inside stay links. As root with owners and
 * devices, else without. Throws PATH_NOT_FOUND, DESTINATION_NOT_EMPTY, DISK_FULL, PERMISSION, IO, LAYER_INVALID,
 * LAYER_REFUSED and ABORTED; nothing is left then.
 */
export async function copyOut(
  tree: Tree,
  layers: readonly LayerSource[],
  path: string,
  destination: string,
  options: CopyToDiskOptions = {},
): Promise<CopyOutResult> {
  const { signal, force = false } = options;
  throwIfAborted(signal);
  const { node, name, contentsOnly } = find(tree, path, options);
  const target = openCopyTarget(
    destination,
    { name, isDirectory: node.kind === 'directory', contentsOnly },
    force,
  );
  try {
    const written = await writeAt(node, layers, target.staged, signal);
    if (written.entries === 0)
      throw new OciError('PERMISSION', `${path}: a ${node.kind} device cannot be made here`);
    if (node.kind === 'directory') publishDirectory(node.mode, target);
    else target.publish();
    return { destination: textOf(target.path), ...written };
  } finally {
    target.remove();
  }
}

/** Only a directory its owner may write to can be moved, so it gets its mode where it is to be. */
function publishDirectory(mode: number, { staged, publish }: CopyTarget): void {
  const descriptor = openSync(
    fsPath(staged),
    constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
  );
  try {
    publish();
    fchmodSync(descriptor, mode);
  } finally {
    closeSync(descriptor);
  }
}

/** The same as a tar stream, with the name asked for at its root (of `PATH/.`: without). Throws PATH_NOT_FOUND. */
export function copyOutTar(
  tree: Tree,
  layers: readonly LayerSource[],
  path: string,
  options: CopyOutOptions = {},
): Readable {
  const { node, name, contentsOnly } = find(tree, path, options);
  const root = contentsOnly
    ? node
    : { ...createNode('directory', -1, -1), children: new Map([[name, node]]) };
  return exportTree({ root, layers: tree.layers }, layers, { signal: options.signal });
}

function find(tree: Tree, path: string, { followLink = false }: CopyOutOptions): Found {
  const found = lookUp(tree, path, { noFollow: !followLink });
  const last = baseOf(bytesOf(path).replace(/\/+$/, ''));
  const isName = last !== '' && last !== '.' && last !== '..';
  if (last === '.' && found.node.kind !== 'directory')
    throw new OciError('PATH_NOT_FOUND', `${path}: ${found.path} is not a directory`);
  return {
    node: found.node,
    name: isName ? last : baseOf(bytesOf(found.path)),
    contentsOnly: last === '.' || found.path === '/',
  };
}

const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Written without a pause, so that a signal is heard in between. */
const BYTES_PER_BREATH = 4 * 1024 * 1024;

async function writeAt(
  top: TreeNode,
  layers: readonly LayerSource[],
  staged: string,
  signal: AbortSignal | undefined,
): Promise<Omit<CopyOutResult, 'destination'>> {
  const result = { entries: 0, bytes: 0, losses: { owners: 0, devices: 0, xattrs: 0 } };
  /** The names of each inode that is not a directory, in order. */
  const names = new Map<TreeNode, string[]>();
  makeDirectories(top, staged);
  for (const files of filesByLayer()) await writeFiles(files);
  for (const [inode, [first = '', ...others]] of names) {
    if (inode.kind !== 'file' && !guarded(first, () => createSpecial(inode, first, result.losses))) continue;
    result.entries += 1 + others.length;
    for (const other of others) guarded(other, () => linkSync(fsPath(first), fsPath(other)));
  }
  describeDirectories(top, staged);
  return result;

  /** Names the place in the image when something goes wrong at `path`. */
  function guarded<T>(path: string, action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw stageError(error, path.slice(staged.length + 1));
    }
  }

  function makeDirectories(node: TreeNode, path: string): void {
    if (node.kind !== 'directory') {
      const known = names.get(inodeOf(node));
      if (known === undefined) names.set(inodeOf(node), [path]);
      else known.push(path);
      return;
    }
    guarded(path, () => mkdirSync(fsPath(path), 0o700));
    result.entries++;
    for (const [name, child] of node.children ?? []) makeDirectories(child, `${path}/${name}`);
  }

  /** The inodes with content, each layer's in the order they lie there. */
  function filesByLayer(): TreeNode[][] {
    const byLayer: TreeNode[][] = layers.map(() => []);
    for (const inode of names.keys()) if (inode.kind === 'file') byLayer[inode.layer]?.push(inode);
    for (const inodes of byLayer) inodes.sort((a, b) => a.entry - b.entry);
    return byLayer.filter((inodes) => inodes.length > 0);
  }

  async function writeFiles(inodes: TreeNode[]): Promise<void> {
    const layer = reopenLayer(layers[inodes[0]?.layer ?? 0] as LayerSource);
    try {
      for (const inode of inodes) {
        for (const _ of layer.seek(inode)) await pause();
        await writeFile(layer, inode, names.get(inode)?.[0] as string);
        result.bytes += inode.size;
      }
    } finally {
      layer.close();
    }
  }

  async function writeFile(layer: ReopenedLayer, inode: TreeNode, path: string): Promise<void> {
    const descriptor = guarded(path, () => openSync(fsPath(path), CREATE, 0o600));
    try {
      let unbroken = 0;
      for (const piece of layer.body(inode)) {
        guarded(path, () => {
          for (let done = 0; done < piece.length; ) done += writeSync(descriptor, piece, done);
        });
        unbroken += piece.length;
        if (unbroken < BYTES_PER_BREATH) continue;
        unbroken = 0;
        await pause();
      }
    } finally {
      closeSync(descriptor);
    }
    describe(inode, path);
  }

  async function pause(): Promise<void> {
    await breathe();
    throwIfAborted(signal);
  }

  /** Children first, for a directory's time is right when nothing changes in it any more. */
  function describeDirectories(node: TreeNode, path: string): void {
    if (node.kind !== 'directory') return;
    for (const [name, child] of node.children ?? []) describeDirectories(child, `${path}/${name}`);
    describe(node, path, path === staged ? node.mode | 0o700 : node.mode);
  }

  /** The owner first, for changing it takes setuid and capabilities away; the mode after what it may forbid. */
  function describe(node: TreeNode, path: string, mode = node.mode): void {
    guarded(path, () => {
      setOwnerAt(node, path, result.losses);
      setXattrs(node, path, result.losses);
      chmodSync(fsPath(path), mode);
      setTimesAt(fsPath(path), node.mtime, node.mtimeNanos);
    });
  }
}
