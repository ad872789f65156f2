// Where a layer's blob bytes come from, as the workers want them: synchronous, in order, into their own buffer.
// One small interface, so that a blob which is still arriving can be read the same way.
import { closeSync, openSync, readSync } from 'node:fs';
import { fileError, OciError } from '../errors.ts';
import { type ArrivingFile, DROPPED, isArriving } from '../place/arrival.ts';
import type { BlobLocation } from '../place/place.ts';

/** Bytes in order, read synchronously. */
export interface ByteSource {
  /** Fills the front of `buffer`, at least one byte of it; 0 at the end. May block. */
  read(buffer: Uint8Array): number;
  close(): void;
}

/** The bytes of a blob, wherever they are by now. */
export function openBytes(bytes: BlobLocation | ArrivingFile): ByteSource {
  return isArriving(bytes) ? openArrivingFile(bytes) : openFileRange(bytes);
}

/** The bytes of a file that is being filled; waits for them. Throws IO when they are dropped meanwhile. */
export function openArrivingFile({ fd, size, held }: ArrivingFile): ByteSource {
  const there = new BigInt64Array(held);
  let position = 0;
  return {
    read(buffer) {
      const wanted = Math.min(buffer.length, size - position);
      if (wanted <= 0) return 0;
      for (let now = Atomics.load(there, 0); now < position + wanted; now = Atomics.load(there, 0)) {
        if (now === DROPPED) throw new OciError('IO', 'the download was given up');
        Atomics.wait(there, 0, now);
      }
      try {
        const got = readSync(fd, buffer, 0, wanted, position);
        position += got;
        return got;
      } catch (error) {
        throw fileError(error, 'a blob on its way');
      }
    },
    close() {},
  };
}

/** The bytes of a range of a file. Throws PERMISSION or IO. */
export function openFileRange({ path, offset, size }: BlobLocation): ByteSource {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    throw fileError(error, path);
  }
  let position = offset;
  const end = offset + size;
  return {
    read(buffer) {
      const wanted = Math.min(buffer.length, end - position);
      if (wanted <= 0) return 0;
      try {
        const got = readSync(descriptor, buffer, 0, wanted, position);
        position += got;
        return got;
      } catch (error) {
        throw fileError(error, path);
      }
    },
    close: () => closeSync(descriptor),
  };
}
