// A layer's entries as columns: what a worker found, in order, in a shape that crosses to the main thread as a few
// buffers and strings instead of an object per entry.
import { OciError } from '../errors.ts';
import { baseOf, parentOf } from '../layer/entry-path.ts';
import type { EntryKind, TarEntry } from '../layer/tar-entry.ts';
import { textOf } from './tree.ts';
import { keptXattrs } from './xattrs.ts';

/** The entries of one layer. All columns are `count` long. Transferable with `transferList`. */
export interface EntryLog {
  count: number;
  /** Index into `KINDS`. */
  kinds: Uint8Array;
  /** Where the body of a file was put: one of `STAGED`. */
  staged: Uint8Array;
  modes: Uint16Array;
  uids: Uint32Array;
  gids: Uint32Array;
  mtimes: Float64Array;
  mtimeNanos: Uint32Array;
  sizes: Float64Array;
  /** Where each entry's first header begins in the inflated layer. Bytes. */
  offsets: Float64Array;
  /** Clean paths of the directories that entries are in, as written, byte strings, joined by NUL. */
  folders: string;
  /** Index of each entry's directory in `folders`. */
  parents: Uint32Array;
  /** Last components, one behind the other; the root's own is empty. Bytes, as are the paths. */
  names: Uint8Array;
  /** Where each name ends in `names`; it begins where the one before it ends. */
  nameEnds: Uint32Array;
  /** Targets of symlinks and hard links, as written, in order, joined by NUL. */
  links: string;
  /** `major, minor` of devices, in order. */
  devices: number[];
  /** By entry index. */
  xattrs: Map<number, ReadonlyMap<string, Uint8Array>>;
}

export const KINDS = [
  'file',
  'directory',
  'symlink',
  'hardlink',
  'char',
  'block',
  'fifo',
] as const satisfies readonly EntryKind[];

/** Where a file's body is on disk: nowhere, under its own path, or aside, under the entry's number. */
export const STAGED = { nowhere: 0, inPlace: 1, aside: 2 } as const;

export interface EntryLogWriter {
  /**
   * Adds an entry that begins at `offset` under its clean path; returns its index. Throws LAYER_REFUSED for values no
   * system can hold.
   */
  append(entry: TarEntry, path: string, offset: number): number;
  setStaged(index: number, where: number): void;
  finish(): EntryLog;
}

/** Linux keeps 12 bits of major and 20 of minor; -1 as an id means "do not change" to chown. */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xfffff;
const MAX_ID = 0xffff_fffe;
const MAX_TARGET = 4095;

export function createEntryLog(): EntryLogWriter {
  let room = 1024;
  let count = 0;
  const folders = new Map<string, number>();
  /** Entries mostly follow one of the same directory. */
  let folder = '';
  let folderIndex = 0;
  const names: string[] = [];
  let namesEnd = 0;
  const links: string[] = [];
  const devices: number[] = [];
  const xattrs: EntryLog['xattrs'] = new Map();
  const columns = {
    kinds: new Uint8Array(room),
    staged: new Uint8Array(room),
    modes: new Uint16Array(room),
    uids: new Uint32Array(room),
    gids: new Uint32Array(room),
    mtimes: new Float64Array(room),
    mtimeNanos: new Uint32Array(room),
    sizes: new Float64Array(room),
    offsets: new Float64Array(room),
    parents: new Uint32Array(room),
    nameEnds: new Uint32Array(room),
  };
  const enter = (path: string): void => {
    folder = path;
    folderIndex = folders.get(path) ?? folders.size;
    folders.set(path, folderIndex);
  };
  const resize = (size: number): void => {
    room = size;
    columns.kinds = resized(columns.kinds, new Uint8Array(size));
    columns.staged = resized(columns.staged, new Uint8Array(size));
    columns.modes = resized(columns.modes, new Uint16Array(size));
    columns.uids = resized(columns.uids, new Uint32Array(size));
    columns.gids = resized(columns.gids, new Uint32Array(size));
    columns.mtimes = resized(columns.mtimes, new Float64Array(size));
    columns.mtimeNanos = resized(columns.mtimeNanos, new Uint32Array(size));
    columns.sizes = resized(columns.sizes, new Float64Array(size));
    columns.offsets = resized(columns.offsets, new Float64Array(size));
    columns.parents = resized(columns.parents, new Uint32Array(size));
    columns.nameEnds = resized(columns.nameEnds, new Uint32Array(size));
  };
  return {
    append(entry, path, offset) {
      checkEntry(entry, path);
      if (count === room) resize(room * 2);
      columns.kinds[count] = KINDS.indexOf(entry.kind);
      columns.modes[count] = entry.mode;
      columns.uids[count] = entry.uid;
      columns.gids[count] = entry.gid;
      columns.mtimes[count] = entry.mtime;
      columns.mtimeNanos[count] = entry.mtimeNanos;
      columns.sizes[count] = entry.size;
      columns.offsets[count] = offset;
      const parent = parentOf(path);
      if (parent !== folder || folders.size === 0) enter(parent);
      columns.parents[count] = folderIndex;
      const name = baseOf(path);
      names.push(name);
      namesEnd += name.length;
      columns.nameEnds[count] = namesEnd;
      if (entry.kind === 'symlink' || entry.kind === 'hardlink') links.push(entry.link);
      else if (entry.kind === 'char' || entry.kind === 'block') devices.push(entry.major, entry.minor);
      const kept = keptXattrs(entry.xattrs);
      if (kept !== undefined) xattrs.set(count, kept);
      return count++;
    },
    setStaged(index, where) {
      columns.staged[index] = where;
    },
    finish() {
      resize(count);
      return {
        ...columns,
        count,
        folders: [...folders.keys()].join('\0'),
        // With memory of its own, which can move to another thread.
        names: new Uint8Array(Buffer.from(names.join(''), 'latin1')),
        links: links.join('\0'),
        devices,
        xattrs,
      };
    },
  };
}

function resized<T extends { set(from: T): void; subarray(from: number, to: number): T; length: number }>(
  from: T,
  to: T,
): T {
  to.set(from.length <= to.length ? from : from.subarray(0, to.length));
  return to;
}

function checkEntry({ kind, uid, gid, link, major, minor }: TarEntry, path: string): void {
  if (uid < 0 || uid > MAX_ID) throw refused(path, `is owned by user ${uid}`);
  if (gid < 0 || gid > MAX_ID) throw refused(path, `is owned by group ${gid}`);
  if (major < 0 || minor < 0 || major > MAX_MAJOR || minor > MAX_MINOR) {
    throw refused(path, `is device ${major}:${minor}`);
  }
  if (kind === 'symlink' && (link === '' || link.length > MAX_TARGET)) {
    throw refused(path, `is a symlink whose target has ${link.length} bytes`);
  }
}

function refused(path: string, what: string): OciError {
  const name = JSON.stringify(textOf(path).slice(0, 200));
  return new OciError('LAYER_REFUSED', `the layer's entry ${name} ${what}, which no system can hold`);
}

/** The clean path of any entry, a byte string. */
export function pathsOf({ folders, parents, names, nameEnds }: EntryLog): (entry: number) => string {
  const folderPaths = folders.split('\0');
  const text = Buffer.from(names.buffer, names.byteOffset, names.length).toString('latin1');
  return (entry) => {
    const folder = folderPaths[parents[entry] as number] as string;
    const name = text.slice(entry === 0 ? 0 : nameEnds[entry - 1], nameEnds[entry]);
    return folder === '' ? name : `${folder}/${name}`;
  };
}

/** The buffers of a log that can move to another thread instead of being copied. */
export function transferList(log: EntryLog): ArrayBuffer[] {
  const { kinds, staged, modes, uids, gids, mtimes, mtimeNanos, sizes, offsets, parents, names, nameEnds } =
    log;
  return [kinds, staged, modes, uids, gids, mtimes, mtimeNanos, sizes, offsets, parents, names, nameEnds].map(
    ({ buffer }) => buffer as ArrayBuffer,
  );
}
