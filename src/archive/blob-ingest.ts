// One blob on its way into its place in a file, verified like everywhere before it counts.
import { closeSync, openSync, writeSync } from 'node:fs';
import { fileError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { BlobLocation, Ingest } from '../place/place.ts';
import { createVerifier } from '../place/verify.ts';

function open(path: string): number {
  try {
    return openSync(path, 'r+');
  } catch (error) {
    throw fileError(error, path);
  }
}

/** Writes `descriptor`'s bytes at `location`, whose file must be there; `done` hears when they are all there and right. */
export function createBlobIngest(location: BlobLocation, descriptor: Descriptor, done: () => void): Ingest {
  const { path } = location;
  let verifier = createVerifier(descriptor);
  let fd: number | undefined = open(path);

  async function close(): Promise<void> {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  }

  return {
    offset: 0,
    write(chunk) {
      let position = location.offset + verifier.seen;
      verifier.update(chunk);
      try {
        for (let written = 0; written < chunk.length; ) {
          const length = writeSync(fd as number, chunk, written, chunk.length - written, position);
          written += length;
          position += length;
        }
      } catch (error) {
        throw fileError(error, path);
      }
    },
    async commit() {
      await close();
      verifier.end();
      done();
    },
    async restart() {
      verifier = createVerifier(descriptor);
    },
    suspend: close,
    abort: close,
  };
}
