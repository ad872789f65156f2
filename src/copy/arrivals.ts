// Lets others read blobs while a copy brings them: the target is wrapped, and every byte that reached its file is
// announced in shared memory, where worker threads wait for it without the event loop's help.
import { closeSync, openSync } from 'node:fs';
import { fileError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { type Arrival, type ArrivingFile, DROPPED } from '../place/arrival.ts';
import type { BlobLocation, ImageTarget, Ingest, LocalBlobs } from '../place/place.ts';
import { wrapIngest } from '../place/wrap-ingest.ts';
import type { Digest } from '../reference/digest.ts';

/** Blobs watched on their way into a target. Close it when nobody reads them any more. */
export interface Arrivals {
  /** To copy into, instead of the target itself. */
  target: ImageTarget;
  of(descriptor: Descriptor): Arrival;
  /** The copy is over: what has not arrived will not, because of `error`. */
  fail(error: unknown): void;
  close(): void;
}

/** Bytes between two announcements; a reader wakes for each. */
const STEP = 256 * 1024;

export function watchArrivals(target: ImageTarget & LocalBlobs, wanted: readonly Descriptor[]): Arrivals {
  const watched = new Map<Digest, Watched>();
  for (const { digest } of wanted) if (!watched.has(digest)) watched.set(digest, createWatched());

  async function ingest(
    descriptor: Descriptor,
    options?: Parameters<ImageTarget['ingest']>[1],
  ): Promise<Ingest | undefined> {
    const inner = await target.ingest(descriptor, options);
    const blob = watched.get(descriptor.digest);
    if (blob === undefined) return inner;
    if (inner !== undefined) return announce(inner, descriptor, blob, () => target.locate(descriptor));
    blob.whole(await target.locate(descriptor));
    return undefined;
  }

  return {
    target: { ...target, ingest },
    of: ({ digest }) => watched.get(digest) as Watched,
    fail(error) {
      for (const blob of watched.values()) blob.fail(error);
    },
    close() {
      for (const blob of watched.values()) blob.close();
    },
  };
}

interface Watched extends Arrival {
  /** A file is being filled, `held` bytes of it there already. */
  begin(path: string, size: number, held: number): void;
  advance(held: number): void;
  /** The bytes so far are void; others may follow. */
  drop(): void;
  whole(location: BlobLocation): void;
  fail(error: unknown): void;
  close(): void;
}

function createWatched(): Watched {
  let next = Promise.withResolvers<ArrivingFile | BlobLocation>();
  next.promise.catch(() => {});
  const end = Promise.withResolvers<void>();
  end.promise.catch(() => {});
  let file: { bytes: ArrivingFile; view: BigInt64Array; told: number } | undefined;
  const fds: number[] = [];

  function tell(held: bigint): void {
    if (file === undefined) return;
    Atomics.store(file.view, 0, held);
    Atomics.notify(file.view, 0);
  }

  return {
    readable: () => next.promise,
    arrived: end.promise,
    begin(path, size, held) {
      const fd = openSync(path, 'r');
      fds.push(fd);
      const view = new BigInt64Array(new SharedArrayBuffer(8));
      view[0] = BigInt(held);
      file = { bytes: { fd, size, held: view.buffer }, view, told: held };
      next.resolve(file.bytes);
    },
    advance(held) {
      if (file === undefined || (held - file.told < STEP && held < file.bytes.size)) return;
      file.told = held;
      tell(BigInt(held));
    },
    drop() {
      tell(DROPPED);
      file = undefined;
      next = Promise.withResolvers();
      next.promise.catch(() => {});
    },
    whole(location) {
      if (file !== undefined) tell(BigInt(file.bytes.size));
      else next.resolve(location);
      end.resolve();
    },
    fail(error) {
      tell(DROPPED);
      next.reject(error);
      end.reject(error);
    },
    close() {
      for (const fd of fds.splice(0)) closeSync(fd);
    },
  };
}

/** The ingest, telling `blob` of every byte. */
function announce(
  inner: Ingest,
  descriptor: Descriptor,
  blob: Watched,
  locate: () => Promise<BlobLocation>,
): Ingest {
  const { file, join } = inner;
  let held = inner.offset;
  const begin = (): void => {
    if (file !== undefined) blob.begin(file, descriptor.size, held);
  };
  try {
    begin();
  } catch (error) {
    throw fileError(error, file ?? descriptor.digest);
  }
  return wrapIngest(inner, {
    write(chunk) {
      const pending = inner.write(chunk);
      held += chunk.length;
      if (pending === undefined) blob.advance(held);
      else return pending.then(() => blob.advance(held));
    },
    // Readers hear of bytes without a gap only.
    ...(join && {
      join(position: number) {
        join(position);
        held = position;
        blob.advance(held);
      },
    }),
    async commit() {
      try {
        await inner.commit();
      } catch (error) {
        blob.drop();
        throw error;
      }
      blob.whole(await locate());
    },
    async restart() {
      blob.drop();
      await inner.restart();
      held = 0;
      begin();
    },
    async suspend() {
      blob.drop();
      await inner.suspend();
    },
    async abort() {
      blob.drop();
      await inner.abort();
    },
  });
}
