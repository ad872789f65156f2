// Lays one layer over the tree: the entries are replayed in order on the tree in memory, where a symlink is data, so
// nothing an archive says can lead anywhere but into the root (image-spec layer.md, "Applying Changesets").
//
// Where tools differ, this does what containerd does: a directory entry over a symlink replaces the symlink; `..` in a
// name is taken back as text; a missing parent becomes a directory of mode 0755 owned by root (with the time of the
// entry that needs it). Unlike containerd, and as the specification says, a whiteout acts on lower layers only,
// wherever in its layer it stands; and a file of a lower layer where this one needs a directory gives way, as it does
// on an overlay mount.
import { baseOf, cleanPath, parentOf } from '../layer/entry-path.ts';
import { whiteoutOf } from '../layer/whiteout.ts';
import { type EntryLog, KINDS, pathsOf } from './entry-log.ts';
import {
  addNames,
  addRow,
  DIRECTORY,
  findName,
  findRow,
  HARDLINK,
  keepName,
  NONE,
  type NodeTable,
  ROOT,
  removeRow,
  SYMLINK,
  writeName,
} from './node-table.ts';
import { purge, survives } from './purge.ts';
import { invalid, quoted, refused, refuseWhiteoutParents } from './refused-entry.ts';

/** Symlinks followed on the way to one name, as Linux counts (path_resolution(7)). */
const MAX_LINKS = 40;
/** Levels of directories: no path of the longest length, 4096 bytes, has more. */
const MAX_DEPTH = 2048;

const CHAR = KINDS.indexOf('char');
const BLOCK = KINDS.indexOf('block');

/** A directory, how deep it is (the root is 1), and how many symlinks the way to it led through. */
interface Parent {
  row: number;
  depth: number;
  followed: number;
}

/**
 * Lays layers over `table`, lowest first: each call replays one. Throws LAYER_INVALID and LAYER_REFUSED, and leaves the
 * table half done then. The functions are made once, not once a layer, so that what V8 compiled for one serves the next.
 */
export function createMerge(table: NodeTable): (log: EntryLog) => void {
  let layer = NONE;
  let log: EntryLog;
  let folders: string[] = [];
  /** Directories looked up, by path: entries follow their directory's entry, and most one of the same directory. */
  const known = new Map<string, Parent>();
  let lastFolder = NONE;
  let lastParent: Parent = { row: ROOT, depth: 1, followed: 0 };

  return (next) => {
    log = next;
    layer = table.logs.push(log) - 1;
    folders = log.folders.split('\0');
    forget();
    if (table.entries[ROOT] === -1 && log.count > 0) impliedBy(ROOT, 0);
    replay();
  };

  function replay(): void {
    const { count, kinds, parents, nameEnds, devices } = log;
    const links = log.links.split('\0');
    const aufs: Array<{ directory: number; name: string }> = [];
    let linksUsed = 0;
    let devicesUsed = 0;
    const namesAt = addNames(table, log.names);
    let end = namesAt;
    for (let entry = 0; entry < count; entry++) {
      const start = end;
      end = namesAt + (nameEnds[entry] as number);
      const kind = kinds[entry] as number;
      const link = kind === SYMLINK || kind === HARDLINK ? (links[linksUsed++] as string) : '';
      const device = kind === CHAR || kind === BLOCK ? devicesUsed : NONE;
      if (device !== NONE) devicesUsed += 2;
      if (start === end) {
        // CVE-2021-29136: a root that became a symlink led everything after it out.
        if (kind !== DIRECTORY) throw refused(`would make the root directory a ${KINDS[kind]}`, '');
        describe(ROOT, entry);
        continue;
      }
      const isOdd = isWhiteoutName(start, end);
      if (isOdd) {
        const whiteout = whiteoutOf(textAt(start, end));
        if (whiteout !== undefined) {
          if (whiteout.kind === 'opaque') purge(table, parentFor(entry).row, layer);
          else takeAway(folders[parents[entry] as number] as string, whiteout.name);
          forget();
          continue;
        }
      }

      const parent = parents[entry] === lastFolder ? lastParent : parentFor(entry);
      if (isOdd) aufs.push({ directory: parent.row, name: textAt(start, end) });
      const there = findRow(table, parent.row, start, end);
      const thereKind = there === NONE ? NONE : table.kinds[there];
      if (kind === DIRECTORY && thereKind === DIRECTORY) {
        describe(there, entry);
        continue;
      }
      const target = kind === HARDLINK ? linkTarget(link, entry) : NONE;
      if (there !== NONE) {
        removeRow(table, there);
        // The way to what was looked up may have led through it.
        if (thereKind === DIRECTORY || thereKind === SYMLINK) forget();
      }
      const shown = target === NONE ? kind : (table.kinds[target] as number);
      const row = addRow(table, parent.row, start, end, shown, layer, entry);
      if (target !== NONE) {
        table.origins[row] = target;
        table.linked.add(target);
      }
      if (kind === SYMLINK) table.targets.set(row, link);
      if (device !== NONE) table.devices.set(row, [devices[device] as number, devices[device + 1] as number]);
      if (parent.followed > 0) table.displaced[row] = 1;
    }
    for (const { directory, name } of aufs) {
      const row = findName(table, directory, name);
      if (row !== NONE) removeRow(table, row);
    }
  }

  /** Gives a row the metadata of an entry of this layer. */
  function describe(row: number, entry: number): void {
    if (table.entries[row] === -1) table.times.delete(row);
    table.layers[row] = layer;
    table.entries[row] = entry;
  }

  /** A directory that an entry needs, and nobody declares, has the entry's time. */
  function impliedBy(row: number, entry: number): void {
    table.times.set(row, [log.mtimes[entry] as number, log.mtimeNanos[entry] as number]);
  }

  function textAt(start: number, end: number): string {
    return table.names.toString('latin1', start, end);
  }

  /** True for `.wh.` and what begins with it. */
  function isWhiteoutName(start: number, end: number): boolean {
    const { names } = table;
    return (
      names[start] === 0x2e &&
      end - start >= 4 &&
      names[start + 1] === 0x77 &&
      names[start + 2] === 0x68 &&
      names[start + 3] === 0x2e
    );
  }

  /** What was looked up may be another directory now. */
  function forget(): void {
    lastFolder = NONE;
    known.clear();
  }

  /** The directory an entry goes into, made if need be. */
  function parentFor(entry: number): Parent {
    lastFolder = log.parents[entry] as number;
    const path = folders[lastFolder] as string;
    let parent = known.get(path);
    if (parent === undefined) {
      refuseWhiteoutParents(path, () => pathOf(entry));
      parent = findDirectory(path, entry) as Parent;
      known.set(path, parent);
    }
    lastParent = parent;
    return parent;
  }

  /**
   * The directory at a clean path, symlinks followed inside the root. What is missing is made, for the entry
   * `neededBy`; without one, undefined is the answer.
   */
  function findDirectory(path: string, neededBy?: number): Parent | undefined {
    const above = path === '' ? undefined : known.get(parentOf(path));
    let { row, depth, followed } = above ?? { row: ROOT, depth: 1, followed: 0 };
    const ahead = path === '' ? [] : above === undefined ? path.split('/').reverse() : [baseOf(path)];
    for (let name = ahead.pop(); name !== undefined; name = ahead.pop()) {
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (row === ROOT) continue;
        row = table.parents[row] as number;
        depth--;
        continue;
      }
      const place = writeName(table, name);
      let child = findRow(table, row, ...place);
      if (child !== NONE && table.kinds[child] === SYMLINK) {
        if (++followed > MAX_LINKS) throw refused('leads through too many symlinks', path);
        const target = targetOf(child);
        if (target.startsWith('/')) {
          row = ROOT;
          depth = 1;
        }
        ahead.push(...target.split('/').reverse());
        continue;
      }
      if (child === NONE || table.kinds[child] !== DIRECTORY) {
        if (neededBy === undefined) return undefined;
        if (child !== NONE && table.layers[child] === layer)
          throw invalid('needs to be a directory, but the same layer has a file there', path);
        if (child !== NONE) removeRow(table, child);
        keepName(table, place);
        child = addRow(table, row, ...place, DIRECTORY, layer, -1);
        impliedBy(child, neededBy);
      }
      row = child;
      if (++depth > MAX_DEPTH) throw refused('is too deep', path);
    }
    return { row, depth, followed };
  }

  function targetOf(symlink: number): string {
    const origin = table.origins[symlink] as number;
    return table.targets.get(origin === NONE ? symlink : origin) as string;
  }

  /** The inode a hard link names, at this moment of the replay. */
  function linkTarget(link: string, entry: number): number {
    const target = cleanPath(link);
    const parent = findDirectory(parentOf(target));
    const row =
      target === '' ? ROOT : parent === undefined ? NONE : findName(table, parent.row, baseOf(target));
    if (row === NONE) throw invalid(`is a hard link to ${quoted(link)}, which is not there`, pathOf(entry));
    if (table.kinds[row] === DIRECTORY)
      throw invalid(`is a hard link to the directory ${quoted(link)}`, pathOf(entry));
    const origin = table.origins[row] as number;
    return origin === NONE ? row : origin;
  }

  function takeAway(folder: string, name: string): void {
    const parent = findDirectory(folder);
    const row = parent === undefined ? NONE : findName(table, parent.row, name);
    if (row !== NONE && !survives(table, row, layer)) removeRow(table, row);
  }

  /** For what is said of an entry. */
  function pathOf(entry: number): string {
    return pathsOf(log)(entry);
  }
}
