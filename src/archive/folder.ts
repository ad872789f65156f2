// What the readers need of a box: its files by name, whether they lie in a directory or inside a tar.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { BlobLocation } from '../place/place.ts';
import { readPart } from '../place/read-part.ts';
import { indexTar } from './tar-index.ts';

/** Files by their path inside the box, `/` between the parts. */
export interface Folder {
  /** The directory or archive as the user named it. */
  readonly path: string;
  /** Where the file's bytes are; undefined when there is no such regular file. */
  locate(name: string): BlobLocation | undefined;
}

/** A directory. Links in it are followed, as build tools make blobs links (rules_oci). */
export function directoryFolder(dir: string): Folder {
  return {
    path: dir,
    locate(name) {
      const path = join(dir, name);
      try {
        // Not a pipe or a device: reading one could wait for ever.
        const stat = statSync(path);
        return stat.isFile() ? { path, offset: 0, size: stat.size } : undefined;
      } catch (error) {
        const code = systemCode(error);
        if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
        throw fileError(error, path);
      }
    },
  };
}

/** The tar in `file`, called `path` in errors. Throws ARCHIVE_INVALID. */
export function tarFolder(file: string, path: string): Folder {
  const index = indexTar(file, path);
  return {
    path,
    locate(name) {
      const member = index.find(name);
      return member && { path: file, offset: member.offset, size: member.size };
    },
  };
}

/** A small file's bytes, undefined when there is none. Throws ARCHIVE_INVALID when it is larger than `limit` bytes. */
export function readFolderFile(folder: Folder, name: string, limit: number): Buffer | undefined {
  const location = folder.locate(name);
  if (location === undefined) return undefined;
  if (location.size > limit) {
    throw new OciError(
      'ARCHIVE_INVALID',
      `${folder.path}: ${name} has ${location.size} bytes, more than ${limit}`,
    );
  }
  return readLocation(location);
}

/** The first bytes of a location, at most `length`. */
export function readLocation(location: BlobLocation, length = location.size): Buffer {
  try {
    return readPart(location.path, location.offset, Math.min(length, location.size));
  } catch (error) {
    throw fileError(error, location.path);
  }
}
