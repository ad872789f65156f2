// A blob whose digest is told only at its end, as clients of `serve` push them: written and hashed as it comes, moved
// among the blobs when the digest is known and right.
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  createReadStream,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileError, OciError } from '../errors.ts';
import { algorithmOf, createDigester, type Digest } from '../reference/digest.ts';
import { acquireFreeLock, type BlobLock } from './lock.ts';
import { blobPath, partialPath, type StorePaths } from './paths.ts';

/** One upload. Exactly one of `commit` and `abort` ends it. */
export interface Upload {
  readonly id: string;
  /** Bytes so far. */
  readonly size: number;
  /** Appends. Throws DISK_FULL, IO. */
  write(chunk: Uint8Array): void;
  /** Makes the blob visible. Throws DIGEST_MISMATCH and drops the bytes when they are others. */
  commit(digest: Digest): Promise<void>;
  /** Drops the bytes; a second call does nothing. */
  abort(): void;
}

/** A process that dies leaves its file to gc. */
export function openUpload(paths: StorePaths): Upload {
  const id = randomUUID();
  const path = join(paths.uploads, id);
  const digester = createDigester();
  let size = 0;
  let fd: number | undefined;
  try {
    mkdirSync(paths.uploads, { recursive: true });
    fd = openSync(path, 'wx', 0o600);
  } catch (error) {
    throw fileError(error, path);
  }

  function close(): void {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  }
  function abort(): void {
    if (fd === undefined) return;
    close();
    rmSync(path, { force: true });
  }

  return {
    id,
    get size() {
      return size;
    },
    write(chunk) {
      if (fd === undefined) throw new OciError('IO', `${path}: the upload is over`);
      try {
        for (let done = 0; done < chunk.length; ) {
          done += writeSync(fd, chunk, done, chunk.length - done, size + done);
        }
      } catch (error) {
        throw fileError(error, path);
      }
      digester.update(chunk);
      size += chunk.length;
    },
    async commit(digest) {
      try {
        const actual = algorithmOf(digest) === 'sha256' ? digester.digest() : await hashFile(path, digest);
        if (actual !== digest) {
          throw new OciError('DIGEST_MISMATCH', `${digest}: the bytes have the digest ${actual}`);
        }
        await place(paths, path, digest);
        close();
      } catch (error) {
        abort();
        throw fileError(error, path);
      }
    },
    abort,
  };
}

async function hashFile(path: string, digest: Digest): Promise<Digest> {
  const digester = createDigester(algorithmOf(digest));
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }))
    digester.update(chunk as Buffer);
  return digester.digest();
}

/** How often the blob's lock is tried before going on without it, 10 ms apart. */
const ATTEMPTS = 100;

/** Under the blob's lock, so that gc does not take the new file for the old one it was looking at. */
async function place(paths: StorePaths, file: string, digest: Digest): Promise<void> {
  const blob = blobPath(paths, digest);
  let lock: BlobLock | undefined;
  for (let i = 0; lock === undefined && i < ATTEMPTS; i += 1) {
    lock = acquireFreeLock(`${partialPath(paths, digest)}.lock`);
    if (lock === undefined) await sleep(10);
  }
  // Held for a second: not by gc, then, but by a pull of the same blob, which will put the same bytes there.
  try {
    const now = new Date();
    utimesSync(file, now, now);
    chmodSync(file, 0o444);
    mkdirSync(dirname(blob), { recursive: true });
    renameSync(file, blob);
  } finally {
    lock?.remove();
  }
}
