// A blob that may still be on its way into a local file: what lets a layer be unpacked while it is downloaded.
import type { BlobLocation } from './place.ts';

/** A file that is being filled, for readers in any thread of this process. */
export interface ArrivingFile {
  /** Open for reading; whoever made this closes it. */
  fd: number;
  /** Bytes the file will have. */
  size: number;
  /** A BigInt64Array of one: the bytes there so far, or -1 when they were dropped and nothing more will come. */
  held: SharedArrayBuffer;
}

/** One blob on its way. Its bytes are not to be trusted, nor what was made of them, before `arrived`. */
export interface Arrival {
  /** Resolves as soon as there is something to read: the file being filled, or the whole blob. Rejects when it never comes. */
  readable(): Promise<ArrivingFile | BlobLocation>;
  /** Resolves when the blob is whole and verified. Rejects with what stopped it. */
  arrived: Promise<void>;
}

/** Stands for dropped bytes in `ArrivingFile.held`. */
export const DROPPED = -1n;

export function isArriving(bytes: ArrivingFile | BlobLocation): bytes is ArrivingFile {
  return 'held' in bytes;
}

/** True when what was read of the file so far is void. */
export function isDropped({ held }: ArrivingFile): boolean {
  return Atomics.load(new BigInt64Array(held), 0) === DROPPED;
}
