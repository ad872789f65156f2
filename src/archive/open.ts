// Opens a box of images by what it is, whatever transport it was named by.
import { stat } from 'node:fs/promises';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { Archive } from './archive.ts';
import { isDockerArchive, readDockerArchive } from './docker-archive.ts';
import { directoryFolder, type Folder, readLocation, tarFolder } from './folder.ts';
import { isOciLayout, readOciLayout } from './oci-layout.ts';
import { sniff } from './sniff.ts';
import { spool } from './spool.ts';

export interface OpenArchiveOptions {
  signal?: AbortSignal | undefined;
}

const nothing = async (): Promise<void> => {};

/** A directory in the OCI image layout. Throws PATH_NOT_FOUND, ARCHIVE_INVALID, UNSUPPORTED. */
export async function openOciLayout(dir: string): Promise<Archive> {
  const found = await inspect(dir);
  if (!found.isDirectory()) {
    throw new OciError('ARCHIVE_INVALID', `${dir}: not a directory`, {
      hint: `for a file write oci-archive:${dir}`,
    });
  }
  return readOciLayout(directoryFolder(dir), nothing);
}

/**
 * A tar of an OCI layout or of `docker save`, old or new, or a directory of the former. Blobs are read in place; an
 * archive that is compressed (gzip, zstd, xz) or a pipe is spooled to a temporary file first.
 * Throws PATH_NOT_FOUND, ARCHIVE_INVALID, LIMIT_EXCEEDED, UNSUPPORTED, DISK_FULL, ABORTED.
 */
export async function openArchive(file: string, options: OpenArchiveOptions = {}): Promise<Archive> {
  const found = await inspect(file);
  if (found.isDirectory()) return openOciLayout(file);
  const plain =
    found.isFile() && sniff(readLocation({ path: file, offset: 0, size: found.size }, 6)) === undefined;
  if (plain) return readFolder(tarFolder(file, file), nothing);
  const spooled = await spool(file, options.signal);
  try {
    return await readFolder(tarFolder(spooled.path, file), () => spooled.remove());
  } catch (error) {
    await spooled.remove();
    throw error;
  }
}

/** docker 25 and newer, and buildkit, write both forms: the layout has the image's own manifest, and so its digest. */
async function readFolder(folder: Folder, close: () => Promise<void>): Promise<Archive> {
  if (isOciLayout(folder)) return readOciLayout(folder, close);
  if (isDockerArchive(folder)) return readDockerArchive(folder, close);
  throw new OciError('ARCHIVE_INVALID', `${folder.path}: neither index.json nor manifest.json in it`, {
    hint: 'an image archive comes from docker save, podman save, buildx --output or skopeo copy',
  });
}

async function inspect(path: string): Promise<import('node:fs').Stats> {
  try {
    return await stat(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileError(error, path);
    throw new OciError('PATH_NOT_FOUND', `${path}: no such file or directory`, { cause: error });
  }
}
