// What a tar archive says of one name. Paths are byte strings (one character per byte, latin1): names which are not
// UTF-8 survive, and ASCII names, nearly all there are, cost nothing.
import type { SparseRegion } from './sparse.ts';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'char' | 'block' | 'fifo';

export interface TarEntry {
  kind: EntryKind;
  /** As written, not cleaned. */
  path: string;
  /** Target of a symlink or hard link, as written. Otherwise empty. */
  link: string;
  /** 0o7777. */
  mode: number;
  uid: number;
  gid: number;
  /** Whole seconds since 1970, rounded down, and nanoseconds on top. */
  mtime: number;
  mtimeNanos: number;
  /** Bytes of a file, holes included; 0 for every other kind. */
  size: number;
  /** Devices only. */
  major: number;
  minor: number;
  xattrs: ReadonlyMap<string, Uint8Array> | undefined;
  /** Where a sparse file has data; undefined for a plain file. */
  sparse: SparseRegion[] | undefined;
}
