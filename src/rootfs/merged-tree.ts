// The merged tree as nodes, made of the rows of its table when somebody asks for them: a question about one path makes
// those of the directories on the way.
import { type Listing, rowsBelow } from './listing.ts';
import { childrenOf, DIRECTORY, NONE, type NodeTable, ROOT } from './node-table.ts';
import { RowFacts } from './row-facts.ts';
import type { Tree, TreeNode } from './tree.ts';

/** The tree in `table`, which must not change any more while nodes of it are made. */
export function viewOf(table: NodeTable): Tree {
  return { root: createView(table).nodeOf(ROOT), layers: table.logs.length };
}

interface View {
  table: NodeTable;
  /** The one node of a row. */
  nodeOf(row: number): TreeNode;
  /** A node to look at and let go; the one node where hard links lead to it. */
  glanceAt(row: number): TreeNode;
  /** A byte string. */
  nameOf(row: number): string;
}

function createView(table: NodeTable): View {
  const { nameStarts, nameEnds } = table;
  const made: (MergedNode | undefined)[] = [];
  made.length = table.count;
  let names: string | undefined;
  const view: View = {
    table,
    nodeOf(row) {
      const node = made[row] ?? new MergedNode(view, row);
      made[row] = node;
      return node;
    },
    glanceAt: (row) => (table.linked.has(row) ? view.nodeOf(row) : (made[row] ?? new MergedNode(view, row))),
    nameOf(row) {
      // Slices of one string: a call into the buffer for each name takes five times as long.
      names ??= table.names.toString('latin1', 0, table.namesEnd);
      return names.slice(nameStarts[row], nameEnds[row]);
    },
  };
  return view;
}

/** A class for its getter: a property defined on each object costs more than the object. */
class MergedNode extends RowFacts implements TreeNode {
  readonly entry: number;
  readonly origin: TreeNode | undefined;
  readonly displaced: boolean;
  readonly #view: View;
  readonly #row: number;
  #children: ReadonlyMap<string, TreeNode> | undefined;

  constructor(view: View, row: number) {
    const { table } = view;
    super(table, row);
    this.#view = view;
    this.#row = row;
    const origin = table.origins[row] as number;
    this.entry = table.entries[row] as number;
    this.origin = origin === NONE ? undefined : view.nodeOf(origin);
    this.displaced = table.displaced[row] === 1;
  }

  get children(): ReadonlyMap<string, TreeNode> | undefined {
    const { table, nameOf, nodeOf } = this.#view;
    if (this.#children === undefined && table.kinds[this.#row] === DIRECTORY) {
      const children = new Map<string, TreeNode>();
      for (const row of childrenOf(table, this.#row)) children.set(nameOf(row), nodeOf(row));
      this.#children = children;
    }
    return this.#children;
  }

  /** See `listBelow`. */
  list(prefix: string, recursive: boolean): NodeListing {
    const { table, glanceAt, nameOf } = this.#view;
    const { count, rows, folders, folderOf } = rowsBelow(table, this.#row, { prefix, recursive, nameOf });
    const rowAt = (at: number): number => rows[at] as number;
    // Of the folder asked for last, for nearly all that follows is in it.
    let lastFolder = NONE;
    let lastBytes: Uint8Array = Buffer.alloc(0);
    return {
      count,
      names: table.names,
      facts: (at) => new RowFacts(table, rowAt(at)),
      folder(at) {
        const folder = folderOf[at] as number;
        if (folder !== lastFolder) lastBytes = Buffer.from(folders[folder] as string, 'latin1');
        lastFolder = folder;
        return lastBytes;
      },
      start: (at) => table.nameStarts[rowAt(at)] as number,
      end: (at) => table.nameEnds[rowAt(at)] as number,
      path: (at) => `${folders[folderOf[at] as number]}${nameOf(rowAt(at))}`,
      node: (at) => glanceAt(rowAt(at)),
    };
  }
}

/** A listing whose nodes can be had as well; they are made for the moment, so that memory does not grow. */
export interface NodeListing extends Listing {
  /** A byte string. */
  path(at: number): string;
  node(at: number): TreeNode;
}

/**
 * What is in a directory of a merged tree, or all that is below it, parents first, in the order of their names' bytes.
 * Paths are byte strings that begin with `prefix`.
 */
export function listBelow(directory: TreeNode, prefix: string, recursive: boolean): NodeListing {
  if (!(directory instanceof MergedNode)) throw new TypeError('a node of a merged tree was expected');
  return directory.list(prefix, recursive);
}
