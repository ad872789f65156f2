import type { Readable } from 'node:stream';
import { OciError } from '../errors.ts';
import type { LayerSource } from './layer-source.ts';
import type { Tree, TreeNode } from './tree.ts';

/** One line of a listing. */
export interface ListedNode {
  /** Absolute path in the image, text. */
  path: string;
  node: TreeNode;
}

/**
 * What is at `path` (text; absolute or not) in the tree, symlinks on the way and at the end followed inside the root,
 * unless `noFollow` says to leave the last one. Throws PATH_NOT_FOUND with a near miss as the hint.
 */
export function lookUp(_tree: Tree, _path: string, _options: { noFollow?: boolean } = {}): ListedNode {
  throw new OciError('UNSUPPORTED', 'not written yet');
}

/**
 * The children of the directory at `path`, sorted by name; with `recursive` everything below, parents first.
 * A path that is not a directory lists itself. Throws PATH_NOT_FOUND.
 */
export function listTree(
  _tree: Tree,
  _path = '/',
  _options: { recursive?: boolean } = {},
): Iterable<ListedNode> {
  throw new OciError('UNSUPPORTED', 'not written yet');
}

/**
 * The bytes of the file at `path`, read from the layer it lives in (to the end of the file only, so its diff ID was
 * checked by `readTree`, not again here). Symlinks are followed inside the root. Throws PATH_NOT_FOUND, and
 * UNSUPPORTED for what is not a regular file.
 */
export function readFile(
  _tree: Tree,
  _layers: readonly LayerSource[],
  _path: string,
  _options: { signal?: AbortSignal | undefined } = {},
): Readable {
  throw new OciError('UNSUPPORTED', 'not written yet');
}
