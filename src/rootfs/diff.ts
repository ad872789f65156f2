// What is different between the files of two images: a walk of both merged trees side by side. Contents are read only
// where nothing cheaper tells: not for files of different sizes, nor for the same entry of the same layer.
import { isOciError, throwIfAborted } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import { contentKey, type FileContent, hashContents } from './content-hashes.ts';
import type { LayerSource } from './layer-source.ts';
import { type ListedNode, lookUp } from './look.ts';
import { inodeOf, sortedChildren, type Tree, type TreeNode, textOf } from './tree.ts';

/** One of the two images. */
export interface DiffSide {
  tree: Tree;
  /** What the tree was read from, lowest first. */
  layers: readonly LayerSource[];
  /** What reading told of each. */
  stats: readonly { diffId: Digest }[];
}

/** What two things of one name can differ in. */
export type DiffPart = 'kind' | 'content' | 'target' | 'device' | 'mode' | 'owner' | 'xattrs' | 'mtime';

/** One name that is not the same in both. */
export interface DiffEntry {
  /** Absolute path in the image, text. */
  path: string;
  change: 'added' | 'removed' | 'changed';
  /** Of a change: what differs, the weightiest first. */
  what: DiffPart[];
  /** Undefined for what was added. */
  before: TreeNode | undefined;
  /** Undefined for what was removed. */
  after: TreeNode | undefined;
  /** Bytes of the file afterwards less those before. */
  delta: number;
}

/** How many names, and what they weigh: a file with several names is weighed once. */
export interface DiffSum {
  entries: number;
  /** Bytes of files; for changes, after less before. */
  bytes: number;
}

export interface TreeDiff {
  /** Where it was looked, absolute. */
  path: string;
  /** Sorted by path, parents first. */
  entries: DiffEntry[];
  added: DiffSum;
  removed: DiffSum;
  changed: DiffSum;
  /** Names whose time of modification alone differs. */
  timeOnly: number;
  unchanged: number;
}

/** Options of `diffTrees`. */
export interface DiffOptions {
  /** Only this path and what is below it. Default: everything. */
  path?: string | undefined;
  /** Also list names of which only the time differs. Default false: a rebuild touches every one, so they are counted. */
  times?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** The same name in both, before contents were compared. */
interface Pair extends DiffEntry {
  /** Files of one size in different places. */
  contents: { before: FileContent; after: FileContent } | undefined;
}

/**
 * What is different in `after`. Throws PATH_NOT_FOUND when neither has `path`, LAYER_INVALID when a layer changed since
 * its tree was read, IO and ABORTED.
 */
export async function diffTrees(
  before: DiffSide,
  after: DiffSide,
  options: DiffOptions = {},
): Promise<TreeDiff> {
  const { signal, times = false } = options;
  throwIfAborted(signal);
  const [start, path] = startOf(before.tree, after.tree, options.path ?? '/');
  const found: Pair[] = [];
  let unchanged = 0;
  walk(start.before, start.after, path);
  const hashes = await hashContents(
    found.flatMap(({ contents }) => (contents === undefined ? [] : [contents.before, contents.after])),
    signal,
  );

  const diff: TreeDiff = { path, entries: [], ...sums(), timeOnly: 0, unchanged };
  /** Files weighed, so that no link to one counts again. */
  const weighed = new Set<TreeNode>();
  for (const { contents, ...entry } of found) {
    if (
      contents !== undefined &&
      hashes.get(contentKey(contents.before)) !== hashes.get(contentKey(contents.after))
    )
      entry.what = sorted([...entry.what, 'content']);
    const { change, what } = entry;
    if (change === 'changed' && what.length === 0) diff.unchanged++;
    else if (change === 'changed' && what.length === 1 && what[0] === 'mtime') {
      diff.timeOnly++;
      if (times) diff.entries.push(entry);
    } else {
      const [old, now] = [weigh(entry.before), weigh(entry.after)];
      diff[change].entries++;
      diff[change].bytes += change === 'removed' ? old : now - old;
      diff.entries.push(entry);
    }
  }
  return diff;

  function weigh(node: TreeNode | undefined): number {
    const inode = node && inodeOf(node);
    if (inode === undefined || weighed.has(inode)) return 0;
    weighed.add(inode);
    return inode.size;
  }

  function walk(old: TreeNode | undefined, now: TreeNode | undefined, at: string): void {
    const pair = pairOf(before, after, old, now, at);
    if (pair === undefined) unchanged++;
    else found.push(pair);
    const prefix = at === '/' ? '' : at;
    for (const name of namesOf(old, now)) {
      walk(old?.children?.get(name), now?.children?.get(name), `${prefix}/${textOf(name)}`);
    }
  }
}

function sums(): Record<DiffEntry['change'], DiffSum> {
  const none = (): DiffSum => ({ entries: 0, bytes: 0 });
  return { added: none(), removed: none(), changed: none() };
}

/** Where to start in each tree, and under which path. Throws PATH_NOT_FOUND when neither has it. */
function startOf(
  before: Tree,
  after: Tree,
  path: string,
): [start: { before: TreeNode | undefined; after: TreeNode | undefined }, path: string] {
  const find = (tree: Tree): ListedNode | undefined => {
    try {
      return lookUp(tree, path, { noFollow: true });
    } catch (error) {
      if (isOciError(error, 'PATH_NOT_FOUND')) return undefined;
      throw error;
    }
  };
  const old = find(before);
  const now = find(after);
  const shown = now ?? old ?? lookUp(after, path, { noFollow: true });
  return [{ before: old?.node, after: now?.node }, shown.path];
}

/** The names below either, in the order of their bytes. */
function namesOf(old: TreeNode | undefined, now: TreeNode | undefined): string[] {
  const own = old === undefined ? [] : sortedChildren(old).map(([name]) => name);
  const others = now === undefined ? [] : sortedChildren(now).map(([name]) => name);
  if (own.length === 0 || others.length === 0) return own.length === 0 ? others : own;
  return [...new Set([...own, ...others])].sort((a, b) => (a < b ? -1 : 1));
}

/** How the two differ; undefined when they are surely the same. */
function pairOf(
  before: DiffSide,
  after: DiffSide,
  oldName: TreeNode | undefined,
  nowName: TreeNode | undefined,
  path: string,
): Pair | undefined {
  const old = oldName && inodeOf(oldName);
  const now = nowName && inodeOf(nowName);
  const entry = { path, before: oldName, after: nowName, delta: (now?.size ?? 0) - (old?.size ?? 0) };
  if (old === undefined || now === undefined)
    return { ...entry, change: old === undefined ? 'added' : 'removed', what: [], contents: undefined };
  const what = differences(old, now);
  const contents =
    old.kind === 'file' && now.kind === 'file' && old.size === now.size && old.size > 0
      ? { before: contentOf(before, old), after: contentOf(after, now) }
      : undefined;
  const undecided = contents !== undefined && contentKey(contents.before) !== contentKey(contents.after);
  if (what.length === 0 && !undecided) return undefined;
  return { ...entry, change: 'changed', what, contents: undecided ? contents : undefined };
}

function contentOf({ layers, stats }: DiffSide, inode: TreeNode): FileContent {
  const source = layers[inode.layer] as LayerSource;
  return { source, diffId: stats[inode.layer]?.diffId as Digest, inode };
}

const WEIGHT: readonly DiffPart[] = [
  'kind',
  'content',
  'target',
  'device',
  'mode',
  'owner',
  'xattrs',
  'mtime',
];

function sorted(what: DiffPart[]): DiffPart[] {
  return what.sort((a, b) => WEIGHT.indexOf(a) - WEIGHT.indexOf(b));
}

/** What the headers tell. */
function differences(old: TreeNode, now: TreeNode): DiffPart[] {
  const differs: Record<DiffPart, boolean> = {
    kind: old.kind !== now.kind,
    content: old.kind === 'file' && now.kind === 'file' && old.size !== now.size,
    target: old.kind === 'symlink' && now.kind === 'symlink' && old.target !== now.target,
    device: old.kind === now.kind && (old.major !== now.major || old.minor !== now.minor),
    // Nobody sees a symlink's mode.
    mode: old.kind !== 'symlink' && now.kind !== 'symlink' && old.mode !== now.mode,
    owner: old.uid !== now.uid || old.gid !== now.gid,
    xattrs: !sameXattrs(old.xattrs, now.xattrs),
    mtime: old.mtime !== now.mtime || old.mtimeNanos !== now.mtimeNanos,
  };
  return WEIGHT.filter((part) => differs[part]);
}

function sameXattrs(old: TreeNode['xattrs'], now: TreeNode['xattrs']): boolean {
  if ((old?.size ?? 0) !== (now?.size ?? 0)) return false;
  return [...(old ?? [])].every(([name, value]) => {
    const other = now?.get(name);
    return other !== undefined && Buffer.compare(value, other) === 0;
  });
}
