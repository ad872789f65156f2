// Lays one layer over the tree: the entries are replayed in order on the tree in memory, where a symlink is data, so
// nothing an archive says can lead anywhere but into the root (image-spec layer.md, "Applying Changesets").
//
// Where tools differ, this does what containerd does: a directory entry over a symlink replaces the symlink; `..` in a
// name is taken back as text; a missing parent becomes a directory of mode 0755 owned by root (with the time of the
// entry that needs it). Unlike containerd, and as the specification says, a whiteout acts on lower layers only,
// wherever in its layer it stands; and a file of a lower layer where this one needs a directory gives way, as it does
// on an overlay mount.
import { OciError } from '../errors.ts';
import { baseOf, cleanPath, parentOf } from '../layer/entry-path.ts';
import { isAufsMetadata, whiteoutOf } from '../layer/whiteout.ts';
import { type EntryLog, KINDS } from './entry-log.ts';
import { createNode, inodeOf, type Tree, type TreeNode, textOf } from './tree.ts';

/** Symlinks followed on the way to one name, as Linux counts (path_resolution(7)). */
const MAX_LINKS = 40;
/** Levels of directories: no path of the longest length, 4096 bytes, has more. */
const MAX_DEPTH = 2048;

/** A directory and whether the way to it led through a symlink. */
interface Parent {
  path: string;
  directory: TreeNode;
  displaced: boolean;
}

/** Replays `log` as the next layer of `tree`. Throws LAYER_INVALID and LAYER_REFUSED, and leaves the tree half done then. */
export function applyLayer(tree: Tree, log: EntryLog): void {
  const layer = tree.layers++;
  const paths = log.count === 0 ? [] : log.paths.split('\0');
  const links = log.links.split('\0');
  const aufs: Array<{ children: Map<string, TreeNode>; name: string }> = [];
  let linksUsed = 0;
  let devicesUsed = 0;
  /** The last parent looked up: most entries follow one of the same directory. */
  let known: Parent | undefined;

  if (tree.root.entry === -1 && log.count > 0) setTimes(tree.root, 0);
  for (let entry = 0; entry < log.count; entry++) {
    const path = paths[entry] as string;
    const kind = KINDS[log.kinds[entry] as number] as (typeof KINDS)[number];
    const link = kind === 'symlink' || kind === 'hardlink' ? (links[linksUsed++] as string) : '';
    const isDevice = kind === 'char' || kind === 'block';
    const major = isDevice ? (log.devices[devicesUsed++] as number) : 0;
    const minor = isDevice ? (log.devices[devicesUsed++] as number) : 0;
    if (path === '') {
      // CVE-2021-29136: a root that became a symlink led everything after it out.
      if (kind !== 'directory') throw refused(`would make the root directory a ${kind}`, path);
      describe(tree.root, entry);
      continue;
    }
    const base = baseOf(path);
    const whiteout = whiteoutOf(base);
    if (whiteout !== undefined) {
      if (whiteout.kind === 'opaque') purge(parentFor(path, entry).directory);
      else takeAway(path, whiteout.name);
      known = undefined;
      continue;
    }

    const { directory, displaced } = parentFor(path, entry);
    const children = directory.children as Map<string, TreeNode>;
    const there = children.get(base);
    if (kind === 'hardlink') {
      const target = linkTarget(link, path);
      children.set(base, { ...target, layer, entry, origin: target, displaced });
    } else if (kind === 'directory' && there?.kind === 'directory') {
      describe(there, entry);
    } else {
      const node = createNode(kind, layer, entry);
      describe(node, entry);
      node.size = log.sizes[entry] as number;
      node.target = link;
      node.major = major;
      node.minor = minor;
      node.displaced = displaced;
      children.set(base, node);
    }
    if (there?.kind === 'directory' || there?.kind === 'symlink') known = undefined;
    if (isAufsMetadata(base)) aufs.push({ children, name: base });
  }
  for (const { children, name } of aufs) children.delete(name);

  /** Gives `node` the metadata of an entry of this layer. */
  function describe(node: TreeNode, entry: number): void {
    node.mode = log.modes[entry] as number;
    node.uid = log.uids[entry] as number;
    node.gid = log.gids[entry] as number;
    node.xattrs = log.xattrs.get(entry);
    node.layer = layer;
    node.entry = entry;
    setTimes(node, entry);
  }

  function setTimes(node: TreeNode, entry: number): void {
    node.mtime = log.mtimes[entry] as number;
    node.mtimeNanos = log.mtimeNanos[entry] as number;
  }

  /** The directory an entry goes into, made if need be. */
  function parentFor(path: string, entry: number): Parent {
    const parent = parentOf(path);
    if (known?.path === parent) return known;
    refuseWhiteoutParents(parent, path);
    known = findDirectory(parent, entry) as Parent;
    return known;
  }

  /**
   * The directory at a clean path, symlinks followed inside the root. What is missing is made, with the times of the
   * entry `impliedBy`; without one, undefined is the answer.
   */
  function findDirectory(path: string, impliedBy?: number): Parent | undefined {
    const stack = [tree.root];
    const ahead = path === '' ? [] : path.split('/').reverse();
    let followed = 0;
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const children = (stack.at(-1) as TreeNode).children as Map<string, TreeNode>;
      let child = children.get(name);
      if (child?.kind === 'symlink') {
        if (++followed > MAX_LINKS) throw refused('leads through too many symlinks', path);
        if (child.target.startsWith('/')) stack.length = 1;
        ahead.push(...child.target.split('/').reverse());
        continue;
      }
      if (child?.kind !== 'directory') {
        if (impliedBy === undefined) return undefined;
        if (child?.layer === layer)
          throw invalid('needs to be a directory, but the same layer has a file there', path);
        child = createNode('directory', layer, -1);
        child.mode = 0o755;
        setTimes(child, impliedBy);
        children.set(name, child);
      }
      stack.push(child);
      if (stack.length > MAX_DEPTH) throw refused('is too deep', path);
    }
    return { path, directory: stack.at(-1) as TreeNode, displaced: followed > 0 };
  }

  /** The inode a hard link names, at this moment of the replay. */
  function linkTarget(link: string, path: string): TreeNode {
    const target = cleanPath(link);
    const parent = findDirectory(parentOf(target));
    const node = target === '' ? tree.root : parent?.directory.children?.get(baseOf(target));
    if (node === undefined) throw invalid(`is a hard link to ${quoted(link)}, which is not there`, path);
    if (node.kind === 'directory') throw invalid(`is a hard link to the directory ${quoted(link)}`, path);
    return inodeOf(node);
  }

  function takeAway(path: string, name: string): void {
    const children = findDirectory(parentOf(path))?.directory.children;
    const child = children?.get(name);
    if (children !== undefined && child !== undefined && !survives(child)) children.delete(name);
  }

  /** Takes everything of lower layers out of a directory. Once per directory and layer: nothing lower comes back. */
  function purge(directory: TreeNode): void {
    if (directory.purgedIn === layer) return;
    directory.purgedIn = layer;
    const children = directory.children as Map<string, TreeNode>;
    for (const [name, child] of children) if (!survives(child)) children.delete(name);
  }

  /** True when a whiteout leaves `node`, because this layer put it there, or something into it; it is purged then. */
  function survives(node: TreeNode): boolean {
    if (node.kind !== 'directory') return node.layer === layer;
    purge(node);
    if (node.layer === layer) return true;
    if (node.children?.size === 0) return false;
    // The directory itself is gone with the lower layer; what this layer put into it implies a new one.
    Object.assign(node, { mode: 0o755, uid: 0, gid: 0, xattrs: undefined, layer, entry: -1 });
    return true;
  }
}

/** A whiteout takes a name away; it cannot be a directory that has names as well. */
function refuseWhiteoutParents(parent: string, path: string): void {
  if (!parent.includes('.wh.')) return;
  for (const name of parent.split('/')) {
    if (name.startsWith('.wh.') && !isAufsMetadata(name)) throw refused('lies inside a whiteout', path);
  }
}

function quoted(path: string): string {
  const text = textOf(path);
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

function refused(what: string, path: string): OciError {
  return new OciError('LAYER_REFUSED', `the layer's entry ${quoted(path)} ${what}`);
}

function invalid(what: string, path: string): OciError {
  return new OciError('LAYER_INVALID', `the layer's entry ${quoted(path)} ${what}`);
}
