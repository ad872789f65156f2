// The flattened image as one tar, streamed: symlinks and devices in order of their names; then the files, layer by
// layer in the order they lie there, so that each layer is read once, front to back; then the directories, children
// first. GNU tar sets a directory's time when it leaves it and lost it to files that came later, so directories last.
import { Readable } from 'node:stream';
import { throwIfAborted } from '../errors.ts';
import { padded } from '../layer/sparse.ts';
import type { TarEntry } from '../layer/tar-entry.ts';
import { TAR_END, tarHeader } from '../layer/tar-writer.ts';
import type { LayerSource } from './layer-source.ts';
import { breathe, reopenLayer } from './reopen-layer.ts';
import { inodeOf, sortedChildren, type Tree, type TreeNode } from './tree.ts';

/** A file to write: its inode and every name it has, in order. */
interface ExportedFile {
  inode: TreeNode;
  names: string[];
}

const CHUNK = 256 * 1024;

/**
 * The flattened tree as one uncompressed tar stream. `tree` is what `readTree(layers)` gave; the bodies are read
 * again from the layers. The same image gives the same bytes. Destroying the stream ends the work; a fired signal
 * destroys it with ABORTED.
 */
export function exportTree(
  tree: Tree,
  layers: readonly LayerSource[],
  options: { signal?: AbortSignal | undefined } = {},
): Readable {
  return Readable.from(inChunks(pieces(tree, layers), options.signal), {
    objectMode: false,
    highWaterMark: CHUNK,
  });
}

/** Gathers small pieces, for a stream's every chunk costs the same, and copies, for pieces are views of a slab. */
async function* inChunks(
  source: Generator<Buffer | undefined>,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  let chunk = Buffer.allocUnsafe(CHUNK);
  let filled = 0;
  for (const piece of source) {
    throwIfAborted(signal);
    if (piece === undefined) {
      await breathe();
      continue;
    }
    for (let at = 0; at < piece.length; ) {
      const copied = piece.copy(chunk, filled, at);
      at += copied;
      filled += copied;
      if (filled === CHUNK) {
        yield chunk;
        throwIfAborted(signal);
        chunk = Buffer.allocUnsafe(CHUNK);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** The archive in order; undefined where there was work without output. */
function* pieces(tree: Tree, layers: readonly LayerSource[]): Generator<Buffer | undefined> {
  const files = new Map<TreeNode, ExportedFile>();
  yield* specials(tree.root, files);
  const byLayer: ExportedFile[][] = layers.map(() => []);
  for (const file of files.values()) byLayer[file.inode.layer]?.push(file);
  for (const [index, exported] of byLayer.entries()) {
    if (exported.length > 0) yield* withContent(layers[index] as LayerSource, exported);
  }
  yield* directories(tree.root, '');
  if (tree.root.entry !== -1) yield tarHeader(entryOf(tree.root, './'));
  yield TAR_END;
}

/** Everything but directories and regular files; those are gathered in `files`. */
function* specials(root: TreeNode, files: Map<TreeNode, ExportedFile>): Generator<Buffer> {
  /** First names of inodes: their further names are links to it. */
  const firstNames = new Map<TreeNode, string>();
  function* below(directory: TreeNode, prefix: string): Generator<Buffer> {
    for (const [name, node] of sortedChildren(directory)) {
      const path = `${prefix}${name}`;
      const inode = inodeOf(node);
      const first = firstNames.get(inode);
      if (node.kind === 'directory') yield* below(node, `${path}/`);
      else if (node.kind === 'file') {
        const known = files.get(inode);
        if (known === undefined) files.set(inode, { inode, names: [path] });
        else known.names.push(path);
      } else if (first === undefined) {
        firstNames.set(inode, path);
        yield tarHeader(entryOf(inode, path));
      } else yield tarHeader(linkTo(first, inode, path));
    }
  }
  yield* below(root, '');
}

function* directories(directory: TreeNode, prefix: string): Generator<Buffer> {
  for (const [name, node] of sortedChildren(directory)) {
    if (node.kind !== 'directory') continue;
    yield* directories(node, `${prefix}${name}/`);
    yield tarHeader(entryOf(node, `${prefix}${name}/`));
  }
}

/** The files of one layer in the order they lie there, each with its further names behind it. */
function* withContent(source: LayerSource, files: ExportedFile[]): Generator<Buffer | undefined> {
  files.sort((a, b) => a.inode.entry - b.inode.entry);
  const layer = reopenLayer(source);
  try {
    for (const { inode, names } of files) {
      for (const _ of layer.seek(inode)) yield undefined;
      const [first = '', ...others] = names;
      yield tarHeader(entryOf(inode, first));
      yield* layer.body(inode);
      yield Buffer.alloc(padded(inode.size) - inode.size);
      for (const name of others) yield tarHeader(linkTo(first, inode, name));
    }
  } finally {
    layer.close();
  }
}

function entryOf(
  { kind, mode, uid, gid, mtime, mtimeNanos, size, target, major, minor, xattrs }: TreeNode,
  path: string,
): TarEntry {
  return {
    kind,
    path,
    link: target,
    mode,
    uid,
    gid,
    mtime,
    mtimeNanos,
    size,
    major,
    minor,
    xattrs,
    sparse: undefined,
  };
}

function linkTo(first: string, inode: TreeNode, path: string): TarEntry {
  return { ...entryOf(inode, path), kind: 'hardlink', link: first, size: 0, xattrs: undefined };
}
