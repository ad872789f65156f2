// The merged tree as nodes, made of the rows of its table when somebody asks for them: a question about one path makes
// those of the directories on the way.
import { type EntryLog, KINDS } from './entry-log.ts';
import { childrenOf, DIRECTORY, NONE, type NodeTable, ROOT } from './node-table.ts';
import type { NodeKind, Tree, TreeNode } from './tree.ts';

const MODE_OF_NOBODY = 0o755;

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
class MergedNode implements TreeNode {
  readonly kind: NodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly mtimeNanos: number;
  readonly size: number;
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: TreeNode['xattrs'];
  readonly layer: number;
  readonly entry: number;
  readonly origin: TreeNode | undefined;
  readonly displaced: boolean;
  readonly #view: View;
  readonly #row: number;
  #children: ReadonlyMap<string, TreeNode> | undefined;

  constructor(view: View, row: number) {
    const { table } = view;
    this.#view = view;
    this.#row = row;
    const origin = table.origins[row] as number;
    const inode = origin === NONE ? row : origin;
    const kind = KINDS[table.kinds[row] as number] as NodeKind;
    this.kind = kind;
    const entry = table.entries[inode] as number;
    if (entry === -1) {
      const [seconds, nanos] = table.times.get(inode) as readonly [number, number];
      this.mode = MODE_OF_NOBODY;
      this.uid = 0;
      this.gid = 0;
      this.mtime = seconds;
      this.mtimeNanos = nanos;
      this.size = 0;
      this.xattrs = undefined;
    } else {
      const log = table.logs[table.layers[inode] as number] as EntryLog;
      this.mode = log.modes[entry] as number;
      this.uid = log.uids[entry] as number;
      this.gid = log.gids[entry] as number;
      this.mtime = log.mtimes[entry] as number;
      this.mtimeNanos = log.mtimeNanos[entry] as number;
      this.size = kind === 'directory' ? 0 : (log.sizes[entry] as number);
      this.xattrs = log.xattrs.size === 0 ? undefined : log.xattrs.get(entry);
    }
    this.target = kind === 'symlink' ? (table.targets.get(inode) as string) : '';
    const device = kind === 'char' || kind === 'block' ? table.devices.get(inode) : undefined;
    this.major = device?.[0] ?? 0;
    this.minor = device?.[1] ?? 0;
    this.layer = table.layers[row] as number;
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
  *list(prefix: string, recursive: boolean): Generator<[path: string, node: TreeNode]> {
    const { table, glanceAt } = this.#view;
    // A stack and not a generator for each directory: passing each name up through those takes longer than the rest.
    const stack = [this.#rowsOf(this.#row, prefix)];
    for (let level = stack.at(-1); level !== undefined; level = stack.at(-1)) {
      const row = level.rows[level.at] as number;
      const path = `${level.prefix}/${level.names[level.at++]}`;
      if (level.at >= level.rows.length) stack.pop();
      if (row === undefined) continue;
      yield [path, glanceAt(row)];
      if (recursive && table.kinds[row] === DIRECTORY) stack.push(this.#rowsOf(row, path));
    }
  }

  /** The rows of a directory, in the order of their names' bytes. */
  #rowsOf(
    directory: number,
    prefix: string,
  ): { rows: number[]; names: string[]; prefix: string; at: number } {
    const { table, nameOf } = this.#view;
    const rows = childrenOf(table, directory);
    const names = rows.map(nameOf);
    if (table.indexed[directory] === 0) return { rows, names, prefix, at: 0 };
    const byName = new Map(rows.map((row, i) => [names[i] as string, row]));
    names.sort((a, b) => (a < b ? -1 : 1));
    return { rows: names.map((name) => byName.get(name) as number), names, prefix, at: 0 };
  }
}

/**
 * What is in a directory of a merged tree, or all that is below it, parents first, in the order of their names' bytes.
 * Paths are byte strings that begin with `prefix`. Nodes are made for the moment, so that memory does not grow.
 */
export function listBelow(
  directory: TreeNode,
  prefix: string,
  recursive: boolean,
): Iterable<[path: string, node: TreeNode]> {
  if (!(directory instanceof MergedNode)) throw new TypeError('a node of a merged tree was expected');
  return directory.list(prefix, recursive);
}
