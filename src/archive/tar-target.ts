// Writes oci-archives and docker-archives. A blob's size is known before its bytes, so each gets its place in the tar when
// it is begun: blobs arrive side by side, nothing is written twice, and the same image gives the same file.
import {
  closeSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { Header } from 'tar/header';
import { fileError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { BlobLocation } from '../place/place.ts';
import { randomName } from '../random-name.ts';
import { algorithmOf, type Digest } from '../reference/digest.ts';
import { type BoxEntry, blobName, dockerDocument, indexDocument, LAYOUT_FILE } from './box-documents.ts';
import { type BoxStorage, type BoxTarget, createBoxTarget } from './box-target.ts';

export interface TarTargetOptions {
  /** With docker's manifest.json, for `docker load`. The layout is there as well, as docker 25 and newer have it. */
  docker: boolean;
  /** The name in the archive, in place of the image's own. */
  nameAs?: string | undefined;
}

const BLOCK = 512;

/** A new archive; an older file of that name is replaced at the end. Throws PERMISSION, DISK_FULL, IO. */
export function createTarTarget(path: string, { docker, nameAs }: TarTargetOptions): BoxTarget {
  return createBoxTarget(tarStorage(path, docker), nameAs);
}

/** What is to be replaced: behind a link the file it leads to, and never a device or a pipe. */
function replaced(path: string): string {
  let isFile: boolean | undefined;
  try {
    isFile = statSync(path, { throwIfNoEntry: false })?.isFile();
    if (isFile === undefined) return path;
    if (isFile) return realpathSync(path);
  } catch (error) {
    throw fileError(error, path);
  }
  throw new OciError('USAGE', `${path}: not a regular file`, {
    hint: 'to write to stdout use - as the file',
  });
}

function tarStorage(path: string, docker: boolean): BoxStorage {
  const place = replaced(path);
  const temporary = `${place}.${process.pid}-${randomName(6)}.tmp`;
  let fd: number | undefined;
  try {
    fd = openSync(temporary, 'wx+');
  } catch (error) {
    throw fileError(error, path);
  }
  const file = fd;
  const places = new Map<Digest, BlobLocation>();
  const folders = new Set<string>();
  let end = 0;

  function put(bytes: Uint8Array): void {
    try {
      for (let done = 0; done < bytes.length; )
        done += writeSync(file, bytes, done, bytes.length - done, end + done);
    } catch (error) {
      throw fileError(error, path);
    }
    end += bytes.length;
  }

  function addFolder(name: string): void {
    if (folders.has(name)) return;
    folders.add(name);
    put(header(name, 0, true));
  }

  function addFile(name: string, content: Buffer): void {
    put(header(name, content.length));
    put(content);
    put(Buffer.alloc(padding(content.length)));
  }

  function close(): void {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  }

  return {
    path,
    place({ digest, size }) {
      const known = places.get(digest);
      if (known !== undefined) return known;
      addFolder('blobs/');
      addFolder(`blobs/${algorithmOf(digest)}/`);
      put(header(blobName(digest), size));
      const location = { path: temporary, offset: end, size };
      places.set(digest, location);
      end += size + padding(size);
      return location;
    },
    async finish(entries: readonly BoxEntry[], referrers: readonly Descriptor[]) {
      addFile('oci-layout', LAYOUT_FILE);
      addFile('index.json', indexDocument(entries, referrers));
      if (docker) addFile('manifest.json', dockerDocument(entries, read));
      put(Buffer.alloc(2 * BLOCK));
      try {
        close();
        renameSync(temporary, place);
      } catch (error) {
        throw fileError(error, path);
      }
    },
    discard() {
      close();
      rmSync(temporary, { force: true });
    },
  };

  function read({ digest, size }: Descriptor): Buffer {
    const bytes = Buffer.alloc(size);
    readSync(file, bytes, 0, size, places.get(digest)?.offset ?? end);
    return bytes;
  }
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Nothing of the machine or the moment goes in. */
function header(path: string, size: number, isFolder = false): Buffer {
  const block = Buffer.alloc(BLOCK);
  new Header({
    path,
    size,
    mode: isFolder ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    mtime: new Date(0),
    type: isFolder ? 'Directory' : 'File',
  }).encode(block);
  return block;
}
