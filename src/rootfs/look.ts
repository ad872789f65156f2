// Looking into an image without unpacking it: what is at a path, what is below it, what a file says.
import { Readable } from 'node:stream';
import { OciError, throwIfAborted } from '../errors.ts';
import type { LayerSource } from './layer-source.ts';
import { type Listing, listingOf } from './listing.ts';
import { listBelow } from './merged-tree.ts';
import { nearestName } from './nearest-name.ts';
import { breathe, reopenLayer } from './reopen-layer.ts';
import { bytesOf, inodeOf, type Tree, type TreeNode, textOf } from './tree.ts';

/** One line of a listing. */
export interface ListedNode {
  /** Absolute path in the image, text. */
  path: string;
  node: TreeNode;
}

/** As Linux counts (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * What is at `path` (text; absolute or not) in the tree, symlinks on the way and at the end followed inside the root,
 * unless `noFollow` says to leave the last one. Throws PATH_NOT_FOUND with a near miss as the hint.
 */
export function lookUp(tree: Tree, path: string, options: { noFollow?: boolean } = {}): ListedNode {
  const stack: Array<{ name: string; node: TreeNode }> = [{ name: '', node: tree.root }];
  const ahead = bytesOf(path).split('/').reverse();
  let followed = 0;
  const here = (): string =>
    `/${stack
      .slice(1)
      .map(({ name }) => name)
      .join('/')}`;
  for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (stack.length > 1) stack.pop();
      continue;
    }
    const parent = (stack.at(-1) as { node: TreeNode }).node;
    const node = parent.children?.get(name);
    if (node === undefined) throw notFound(path, textOf(here()), parent, name);
    const isLast = ahead.every((left) => left === '' || left === '.');
    // A trailing slash asks for what the link leads to.
    if (node.kind === 'symlink' && !(options.noFollow && isLast && ahead.length === 0)) {
      if (++followed > MAX_LINKS) {
        throw new OciError('PATH_NOT_FOUND', `${path}: too many symlinks on the way`);
      }
      if (node.target.startsWith('/')) stack.length = 1;
      ahead.push(...node.target.split('/').reverse());
    } else stack.push({ name, node });
  }
  return { path: textOf(here()), node: (stack.at(-1) as { node: TreeNode }).node };
}

function notFound(path: string, at: string, parent: TreeNode, name: string): OciError {
  const message = `${path}: there is no such file in the image`;
  if (parent.kind !== 'directory') {
    return new OciError('PATH_NOT_FOUND', message, { hint: `${at} is not a directory` });
  }
  const near = nearestName(textOf(name), [...(parent.children?.keys() ?? [])].map(textOf));
  const directory = at === '/' ? '' : at;
  return new OciError('PATH_NOT_FOUND', message, {
    hint:
      near === undefined
        ? `${at} is there; list it to see what it holds`
        : `did you mean ${directory}/${near}?`,
  });
}

/**
 * The children of the directory at `path`, sorted by name; with `recursive` everything below, parents first.
 * A path that is not a directory lists itself. Nodes are made for the listing: `lookUp` of the same path gives another
 * object, though hard links have the same inode here as there. Throws PATH_NOT_FOUND.
 */
export function listTree(
  tree: Tree,
  path = '/',
  options: { recursive?: boolean } = {},
): Iterable<ListedNode> {
  const start = lookUp(tree, path);
  if (start.node.kind !== 'directory') return [start];
  return below(start, options.recursive ?? false);
}

function* below(start: ListedNode, recursive: boolean): Generator<ListedNode> {
  const listing = listBelow(start.node, prefixOf(start), recursive);
  for (let at = 0; at < listing.count; at++) {
    yield { path: textOf(listing.path(at)), node: listing.node(at) };
  }
}

/** The names that `listTree` lists. Throws PATH_NOT_FOUND. */
export function listNames(tree: Tree, path = '/', options: { recursive?: boolean } = {}): Listing {
  const start = lookUp(tree, path);
  return start.node.kind === 'directory'
    ? listBelow(start.node, prefixOf(start), options.recursive ?? false)
    : listingOf([{ ...start, path: bytesOf(start.path) }]);
}

function prefixOf({ path }: ListedNode): string {
  return path === '/' ? '' : bytesOf(path);
}

/**
 * The bytes of the file at `path`, read from the layer it lives in (to the end of the file only, so its diff ID was
 * checked by `readTree`, not again here). Symlinks are followed inside the root. Throws PATH_NOT_FOUND, and
 * UNSUPPORTED for what is not a regular file; the stream is destroyed with ABORTED when the signal fires.
 */
export function readFile(
  tree: Tree,
  layers: readonly LayerSource[],
  path: string,
  options: { signal?: AbortSignal | undefined } = {},
): Readable {
  const { node } = lookUp(tree, path);
  if (node.kind !== 'file')
    throw new OciError('UNSUPPORTED', `${path}: is a ${node.kind}, not a regular file`);
  const inode = inodeOf(node);
  const bytes = contentOf(layers[inode.layer] as LayerSource, inode, options.signal);
  return Readable.from(bytes, { objectMode: false, highWaterMark: 1024 * 1024 });
}

async function* contentOf(
  source: LayerSource,
  inode: TreeNode,
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer> {
  throwIfAborted(signal);
  const layer = reopenLayer(source);
  try {
    for (const _ of layer.seek(inode)) {
      await breathe();
      throwIfAborted(signal);
    }
    for (const piece of layer.body(inode)) {
      throwIfAborted(signal);
      yield Buffer.from(piece);
    }
  } finally {
    layer.close();
  }
}
