// A directory as a place that an artifact's files are copied to. They arrive in a private folder inside it, are verified
// there, and then take their names: nothing on disk is followed, and nothing is replaced unless that was asked for.
import {
  closeSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { createBlobIngest } from '../archive/blob-ingest.ts';
import { fileError, OciError, systemCode } from '../errors.ts';
import type { TitledFile } from '../manifest/artifact-files.ts';
import type { BlobLocation, ImageTarget } from '../place/place.ts';
import { type Digest, hexOf } from '../reference/digest.ts';
import { makePrivateFolder, removeTree } from '../rootfs/private-folder.ts';

export interface ArtifactTarget {
  /** Takes the files and, of everything else, nothing. */
  target: ImageTarget;
  /** A file that has arrived. */
  locate(file: TitledFile): BlobLocation;
  /** A name in the private folder for what is made of a file. */
  scratch(name: string): string;
  /** Gives what is at `staged` its place. Throws DESTINATION_NOT_EMPTY, LAYER_REFUSED (through a symlink), PERMISSION, IO. */
  place(file: TitledFile, staged: string): void;
  /** Removes the private folder and, unless `done`, what was placed. */
  close(done: boolean): void;
}

/** Makes `dir` when it is missing. Throws DESTINATION_NOT_EMPTY when a file is there already, PERMISSION, IO. */
export function openArtifactTarget(
  dir: string,
  files: readonly TitledFile[],
  force: boolean,
): ArtifactTarget {
  const made = inDir(() => mkdirSync(dir, { recursive: true }));
  const root = inDir(() => realpathSync(dir));
  for (const { title } of files) refuseOccupied(title);
  const folder = inDir(() => makePrivateFolder(root, 'files', 'pull'));
  const wanted = new Set(files.map(({ descriptor }) => descriptor.digest));
  const arrived = new Set<Digest>();
  const placed: string[] = [];

  function inDir<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fileError(error, dir);
    }
  }

  function refuseOccupied(title: string): void {
    const there = inDir(() => lstatSync(join(root, title), { throwIfNoEntry: false }));
    if (there === undefined || (force && !there.isDirectory())) return;
    throw new OciError('DESTINATION_NOT_EMPTY', `${join(dir, title)}: is there already`, {
      hint: there.isDirectory() ? 'move it away first' : 'replace it with --force',
    });
  }

  /** Makes the directories above a file; each must be a true one. */
  function makeParents(title: string): void {
    let path = root;
    for (const part of title.split('/').slice(0, -1)) {
      path = join(path, part);
      try {
        mkdirSync(path);
        placed.push(path);
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw fileError(error, path);
        if (lstatSync(path).isDirectory()) continue;
        throw new OciError('LAYER_REFUSED', `${join(dir, title)}: ${part} is not a directory`, {
          hint: 'links are not followed: move it away, or choose another directory',
        });
      }
    }
  }

  const pathOf = (digest: Digest): string => join(folder, hexOf(digest));
  const absent = (digest: Digest): OciError => new OciError('BLOB_NOT_FOUND', `${digest}: not in ${dir}`);

  return {
    target: {
      resolve: () => Promise.reject(new OciError('IMAGE_NOT_FOUND', `${dir}: no image in it`)),
      fetch: async ({ digest }) => {
        throw absent(digest);
      },
      has: async ({ digest }) => arrived.has(digest),
      async ingest(descriptor) {
        const { digest, size } = descriptor;
        if (!wanted.has(digest) || arrived.has(digest)) return undefined;
        const path = pathOf(digest);
        inDir(() => closeSync(openSync(path, 'w')));
        return createBlobIngest({ path, offset: 0, size }, descriptor, () => arrived.add(digest));
      },
      tag: async () => {},
    },
    locate({ descriptor: { digest, size } }) {
      if (!arrived.has(digest)) throw absent(digest);
      return { path: pathOf(digest), offset: 0, size };
    },
    scratch: (name) => join(folder, name),
    place({ title, isDirectory }, staged) {
      refuseOccupied(title);
      makeParents(title);
      const path = join(root, title);
      inDir(() => {
        if (isDirectory) mkdirSync(path);
        // The name is taken first, so that nobody's file is replaced.
        else if (!force) closeSync(openSync(path, 'wx'));
        placed.push(path);
        renameSync(staged, path);
      });
    },
    close(done) {
      if (!done) for (const path of placed.reverse()) removeTree(path);
      removeTree(folder);
      if (!done && made !== undefined) removeEmpty(root);
    },
  };
}

/** Removes the directory unless somebody has put something there. */
function removeEmpty(dir: string): void {
  try {
    rmdirSync(dir);
  } catch {
    // Not ours any more.
  }
}

/** A second file of the same bytes. */
export function duplicate(file: BlobLocation, name: string): string {
  const copy = join(dirname(file.path), name);
  try {
    rmSync(copy, { force: true });
    copyFileSync(file.path, copy);
  } catch (error) {
    throw fileError(error, copy);
  }
  return copy;
}
