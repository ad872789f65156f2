// A range of a local file as a stream: what the store and the archives both answer a `fetch` with.
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { abortError } from '../errors.ts';
import type { BlobLocation } from './place.ts';
import { readPart } from './read-part.ts';

/** Bytes a read asks the kernel for: 64 KiB, the default, costs twice the CPU per GiB. */
const CHUNK = 1024 * 1024;

/** Bytes up to which they are read when they are asked for: Node's file streams take 10 ms to load, for a manifest too. */
const AT_ONCE = 256 * 1024;

/** The bytes of `location` from `offset` on. The stream is destroyed with ABORTED when the signal fires. */
export function readRange(location: BlobLocation, offset = 0, signal?: AbortSignal): Readable {
  const wanted = location.size - offset;
  if (wanted <= 0) return Readable.from([]);
  const start = location.offset + offset;
  const stream =
    wanted <= AT_ONCE
      ? readAtOnce(location.path, start, wanted)
      : createReadStream(location.path, { start, end: start + wanted - 1, highWaterMark: CHUNK });
  if (signal !== undefined) {
    const stop = (): void => void stream.destroy(abortError(signal));
    if (signal.aborted) stop();
    else {
      signal.addEventListener('abort', stop, { once: true });
      stream.once('close', () => signal.removeEventListener('abort', stop));
    }
  }
  return stream;
}

function readAtOnce(path: string, start: number, length: number): Readable {
  return new Readable({
    read() {
      try {
        this.push(readPart(path, start, length));
        this.push(null);
      } catch (error) {
        this.destroy(error as Error);
      }
    },
  });
}
