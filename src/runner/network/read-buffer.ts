// What a proxied connection reads into: little while it says little, much once it fills that, all together bounded.

/** Bytes: the first buffer of a direction, and the one it grows to. */
const SMALL = 16 * 1024;
const LARGE = 256 * 1024;

/** Bytes that all large buffers of this process may take together. */
const BUDGET = 64 * 1024 * 1024;

let spent = 0;

export interface ReadBuffer {
  /** Where the next bytes go. */
  next(): Buffer;
  /** The bytes just read; valid until `next` is read into. */
  filled(length: number): Buffer;
  free(): void;
}

export function readBuffer(): ReadBuffer {
  let buffer = Buffer.allocUnsafeSlow(SMALL);
  let full = false;
  return {
    next() {
      if (full && buffer.length === SMALL && spent + LARGE <= BUDGET) {
        spent += LARGE;
        buffer = Buffer.allocUnsafeSlow(LARGE);
      }
      return buffer;
    },
    filled(length) {
      full = length === buffer.length;
      return buffer.subarray(0, length);
    },
    free() {
      if (buffer.length === LARGE) spent -= LARGE;
      buffer = Buffer.alloc(0);
    },
  };
}
