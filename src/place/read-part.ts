// A part of a local file, read at once.
import { closeSync, openSync, readSync } from 'node:fs';

/** The `length` bytes from `start` on; of a file that is shorter, what there is. Throws what `fs` throws. */
export function readPart(path: string, start: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  const fd = openSync(path, 'r');
  try {
    let held = 0;
    while (held < length) {
      const read = readSync(fd, buffer, held, length - held, start + held);
      if (read === 0) break;
      held += read;
    }
    return buffer.subarray(0, held);
  } finally {
    closeSync(fd);
  }
}
