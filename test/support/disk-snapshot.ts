// A directory on disk as plain data, to compare with what it should be.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { xattrsOnDisk } from './xattrs-on-disk.ts';

/** One name. Owners only when the test runs as root: nobody else can set them. */
export interface Seen {
  /** `file`, `directory`, `symlink`, `fifo`, or of a device `char` or `block` and its number as `stat` gives it. */
  kind: string;
  mode: number;
  /** Nanoseconds since 1970. */
  mtime: bigint;
  owner: string;
  /** A file's bytes (latin1) or a symlink's target. */
  content: string;
  /** The names (sorted) of the inode. */
  names: string;
  /** `NAME=HEX`, sorted. */
  xattrs: string[];
}

/** Every name below `top` (not `top` itself) by its path, a byte string. */
export function snapshot(top: string): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  const inodes = new Map<bigint, string[]>();
  const walk = (prefix: string): void => {
    for (const entry of readdirSync(bytes(`${top}/${prefix}`), { encoding: 'buffer' })) {
      const path = `${prefix}${entry.toString('latin1')}`;
      const full = bytes(`${top}/${path}`);
      const stat = lstatSync(full, { bigint: true });
      const kind = stat.isDirectory()
        ? 'directory'
        : stat.isSymbolicLink()
          ? 'symlink'
          : stat.isFile()
            ? 'file'
            : stat.isFIFO()
              ? 'fifo'
              : `${stat.isBlockDevice() ? 'block' : 'char'} ${stat.rdev}`;
      const content =
        kind === 'file'
          ? readFileSync(full).toString('latin1')
          : kind === 'symlink'
            ? readlinkSync(full, { encoding: 'buffer' }).toString('latin1')
            : '';
      if (kind !== 'directory') inodes.set(stat.ino, [...(inodes.get(stat.ino) ?? []), path]);
      const owner = process.geteuid?.() === 0 ? `${stat.uid}:${stat.gid}` : '';
      const mode = kind === 'symlink' ? 0 : Number(stat.mode & 0o7777n);
      seen.set(path, {
        kind,
        mode,
        mtime: stat.mtimeNs,
        owner,
        content,
        names: '',
        xattrs: xattrsOnDisk(full),
      });
      if (kind === 'directory') walk(`${path}/`);
    }
  };
  walk('');
  for (const names of inodes.values()) {
    for (const name of names) (seen.get(name) as Seen).names = names.sort().join(' ');
  }
  return seen;
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
