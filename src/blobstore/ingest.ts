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
} from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Ingest } from '../place/place.ts';
import { type BlobCheck, checkHere, type HashThread, isWorthAThread } from './hash-thread.ts';
import { acquireLock, type BlobLock } from './lock.ts';
import { createGapMark, type GapMark, heldBy, writeAll } from './partial-file.ts';
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
    const mark = createGapMark(fd, descriptor);
    return createIngest(fd, lock, check, start, mark, partial, blobPath(paths, descriptor.digest));
  } catch (error) {
    check?.drop();
    if (fd !== undefined) closeSync(fd);
    lock.release();
    throw fileError(error, partial);
  }
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
  mark: GapMark,
  partial: string,
  blob: string,
): Ingest {
  let check = first;
  let offset = first.seen;
  /** Bytes that are in the file without a gap; what was refused by a full disk is not. */
  let reached = offset;
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

  function ahead(chunk: Uint8Array, position: number): void {
    try {
      mark.set(reached);
      writeAll(fd, chunk, position);
    } catch (error) {
      throw fileError(error, partial);
    }
  }

  function join(position: number): void {
    check.join?.(position);
    reached = position;
    mark.held(reached);
  }

  return {
    file: partial,
    takesAtOnce: true,
    get offset() {
      return offset;
    },
    write(chunk) {
      const position = check.seen;
      check.update(chunk);
      try {
        writeAll(fd, chunk, position);
        reached = check.seen;
        mark.held(reached);
      } catch (error) {
        throw fileError(error, partial);
      }
      check.written();
    },
    ...(first.join !== undefined && { ahead, join }),
    async commit() {
      try {
        await check.end();
      } catch (error) {
        drop();
        throw fileError(error, partial);
      }
      try {
        mark.remove();
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
      // What came ahead of a gap cannot be told from the gap later.
      if (open) mark.cut(reached);
      if (close()) lock.release();
    },
    async restart() {
      check.drop();
      mark.cut(0);
      ftruncateSync(fd, 0);
      check = start(0);
      offset = 0;
      reached = 0;
    },
    async abort() {
      drop();
    },
  };
}
