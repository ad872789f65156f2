// Writes a new OCI layout directory. It is filled beside its place and moved there, so that it is whole or absent; into a
// layout that is there already, the blob store writes.
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { BlobLocation } from '../place/place.ts';
import { randomName } from '../random-name.ts';
import { blobName, indexDocument, LAYOUT_FILE } from './box-documents.ts';
import { type BoxTarget, createBoxTarget } from './box-target.ts';

/** A layout at `dir`, which must be absent or empty by the end. Throws PERMISSION, DISK_FULL, IO. */
export function createFolderTarget(dir: string, nameAs?: string): BoxTarget {
  const place = resolve(dir);
  const temporary = `${place}.${process.pid}-${randomName(6)}.tmp`;

  function inFolder<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fileError(error, dir);
    }
  }

  inFolder(() => mkdirSync(join(temporary, 'blobs'), { recursive: true }));
  return createBoxTarget(
    {
      path: dir,
      place(descriptor): BlobLocation {
        const path = join(temporary, blobName(descriptor.digest));
        inFolder(() => {
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, '');
        });
        return { path, offset: 0, size: descriptor.size };
      },
      async finish(entries, referrers) {
        inFolder(() => {
          writeFileSync(join(temporary, 'oci-layout'), LAYOUT_FILE);
          writeFileSync(join(temporary, 'index.json'), indexDocument(entries, referrers));
        });
        try {
          // Takes the place of an empty directory, and of nothing else.
          renameSync(temporary, place);
        } catch (error) {
          const code = systemCode(error);
          if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw fileError(error, dir);
          throw new OciError('DESTINATION_NOT_EMPTY', `${dir}: something was put there meanwhile`, {
            hint: 'run the same command again to add to it',
            cause: error,
          });
        }
      },
      discard: () => rmSync(temporary, { recursive: true, force: true }),
    },
    nameAs,
  );
}

/** True when there is nothing at `dir`, or an empty directory. Throws IO for a file. */
export function isAbsentOrEmpty(dir: string): boolean {
  try {
    return readdirSync(dir).length === 0;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return true;
    throw fileError(error, dir);
  }
}
