// One blob on its way in: a partial file that a later process can go on with, hashed as it is written, moved into
// place when verified.
//
// Nothing here is fsynced: the move is atomic, so a killed process never leaves a wrong blob, and after a power cut
// a blob file that the kernel had not written yet is too short, which `has` counts as absent and `check` reports.
// A pull of many small layers would otherwise spend its time waiting for the disk, for content that can be had again.
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Ingest } from '../place/place.ts';
import { type BlobCheck, checkHere, type HashThread, isWorthAThread } from './hash-thread.ts';
import { acquireLock, type BlobLock } from './lock.ts';
import { blobPath, partialPath, type StorePaths } from './paths.ts';

/** Bytes hashed at a time when an earlier attempt is taken up; about 3 ms of work between two turns of the event loop. */
const REHASH_CHUNK = 4 * 1024 * 1024;

/**
 * Starts or takes up the blob. Waits while another ingest of the same blob is open, here or in another process, and
 * goes on from what that one left. Undefined when `isPresent` then says that the blob has arrived.
 */
export async function openIngest(
  paths: StorePaths,
  descriptor: Descriptor,
  isPresent: () => boolean,
  thread: HashThread,
  signal?: AbortSignal,
): Promise<Ingest | undefined> {
  const partial = partialPath(paths, descriptor.digest);
  const lock = await acquireLock(`${partial}.lock`, signal);
  let fd: number | undefined;
  let check: BlobCheck | undefined;
  try {
    if (isPresent()) {
      lock.remove();
      return undefined;
    }
    fd = openSync(partial, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    const start = (held: number): BlobCheck =>
      isWorthAThread(descriptor) ? thread.check(descriptor, partial, held) : checkHere(descriptor);
    check = start(heldBy(fd, descriptor));
    await takeUp(fd, check, signal);
    return createIngest(fd, lock, check, start, partial, blobPath(paths, descriptor.digest));
  } catch (error) {
    check?.drop();
    if (fd !== undefined) closeSync(fd);
    lock.release();
    throw fileError(error, partial);
  }
}

/** Bytes an earlier attempt left; dropped when they are too many. */
function heldBy(fd: number, descriptor: Descriptor): number {
  const { size } = fstatSync(fd);
  if (size <= descriptor.size) return size;
  ftruncateSync(fd, 0);
  return 0;
}

/** Hashes the bytes an earlier attempt left, so that they are verified like all others, unless a thread does. */
async function takeUp(fd: number, check: BlobCheck, signal?: AbortSignal): Promise<void> {
  const held = fstatSync(fd).size;
  const buffer = Buffer.allocUnsafe(Math.min(REHASH_CHUNK, held - check.seen));
  while (check.seen < held) {
    throwIfAborted(signal);
    const length = readSync(fd, buffer, 0, buffer.length, check.seen);
    if (length === 0) break;
    check.update(buffer.subarray(0, length));
    await nextTurn();
  }
}

function createIngest(
  fd: number,
  lock: BlobLock,
  first: BlobCheck,
  start: (held: number) => BlobCheck,
  partial: string,
  blob: string,
): Ingest {
  let check = first;
  let offset = first.seen;
  let open = true;

  /** Closes the file once; false when that was done before, so that a late `abort` is harmless. */
  function close(): boolean {
    if (!open) return false;
    open = false;
    check.drop();
    closeSync(fd);
    return true;
  }

  function drop(): void {
    if (!close()) return;
    rmSync(partial, { force: true });
    lock.release();
  }

  return {
    file: partial,
    get offset() {
      return offset;
    },
    write(chunk) {
      let position = check.seen;
      check.update(chunk);
      try {
        // A disk that fills up takes part of a chunk before it refuses the rest.
        for (let done = 0; done < chunk.length; ) {
          const length = writeSync(fd, chunk, done, chunk.length - done, position);
          done += length;
          position += length;
        }
      } catch (error) {
        throw fileError(error, partial);
      }
      check.written();
    },
    async commit() {
      try {
        await check.end();
      } catch (error) {
        drop();
        throw fileError(error, partial);
      }
      try {
        fchmodSync(fd, 0o444);
        // Young from now on, however old the bytes are: see keep.ts.
        const now = new Date();
        futimesSync(fd, now, now);
        mkdirSync(dirname(blob), { recursive: true });
        renameSync(partial, blob);
      } catch (error) {
        if (close()) lock.release();
        throw fileError(error, blob);
      }
      if (close()) lock.remove();
    },
    async suspend() {
      if (close()) lock.release();
    },
    async restart() {
      check.drop();
      ftruncateSync(fd, 0);
      check = start(0);
      offset = 0;
    },
    async abort() {
      drop();
    },
  };
}
