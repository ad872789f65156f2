// What keeps gc (gc.ts) off the blobs of an image that has no name yet: whoever counts on a blob makes its file young,
// and gc leaves young files alone. There is no list of users, so a process that dies leaves nothing behind.
//
// An old file is made young under the blob's lock, which gc holds while it looks and removes: a blob that was found is
// never swept a moment later. One made young without the lock is put back by gc, which looks again (see sweepFile).
import { utimesSync } from 'node:fs';
import { OciError, systemCode } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { monotonicMs } from '../monotonic-ms.ts';
import type { Digest } from '../reference/digest.ts';
import { hasBlob } from './blob-files.ts';
import { walkStored } from './documents.ts';
import { acquireLock } from './lock.ts';
import { blobPath, partialPath, type StorePaths } from './paths.ts';

/** How often the blobs of a copy that goes on are made young again, ms: far below any grace period. */
const BEAT = 30_000;
const NEVER = Number.NEGATIVE_INFINITY;

/** What one process counts on until it is named. */
export interface Keeper {
  /** The blob was seen: `name` fails when it has gone by then. */
  seen(digest: Digest): void;
  /** The blob was just written. */
  written(digest: Digest): void;
  /** Makes the blob young; false when it is not there. */
  keep(descriptor: Descriptor, signal?: AbortSignal): Promise<boolean>;
  /** To be called now and then while something is on its way. Takes 50 ns when nothing is due. */
  beat(): void;
  /**
   * Makes everything young that the image is made of. The answer does so again: it is to be called in the transaction that
   * names the image, and now and then while that is waited for, so that the wait may be longer than a grace period.
   * Both throw BLOB_NOT_FOUND when something that was counted on has been removed meanwhile.
   */
  name(root: Descriptor): Promise<() => void>;
}

export function createKeeper(paths: StorePaths): Keeper {
  /** When each was made young, by `monotonicMs`; NEVER for those only seen. */
  const counted = new Map<Digest, number>();
  let beaten = monotonicMs();

  async function keep(descriptor: Descriptor, signal?: AbortSignal): Promise<boolean> {
    if (!hasBlob(paths, descriptor)) return false;
    const lock = await acquireLock(`${partialPath(paths, descriptor.digest)}.lock`, signal);
    try {
      if (!hasBlob(paths, descriptor) || !makeYoung(paths, descriptor.digest)) return false;
      counted.set(descriptor.digest, monotonicMs());
      return true;
    } finally {
      lock.remove();
    }
  }

  return {
    seen(digest) {
      if (!counted.has(digest)) counted.set(digest, NEVER);
    },
    written: (digest) => void counted.set(digest, monotonicMs()),
    keep,
    beat() {
      const now = monotonicMs();
      if (now - beaten < BEAT) return;
      beaten = now;
      // Those only seen are kept by `name`; these were young a moment ago, so no lock is needed.
      for (const [digest, time] of counted) {
        if (time !== NEVER && makeYoung(paths, digest)) counted.set(digest, now);
      }
    },
    async name(root) {
      const image: Descriptor[] = [];
      walkStored(paths, root, {
        isPresent: (descriptor) => hasBlob(paths, descriptor) || counted.has(descriptor.digest),
        present: (descriptor) => image.push(descriptor),
      });
      for (const descriptor of image) {
        const young = monotonicMs() - (counted.get(descriptor.digest) ?? NEVER) < BEAT;
        // Even what is young: the transaction may have to be waited for, and a grace period be short.
        const kept = young
          ? hasBlob(paths, descriptor) && makeYoung(paths, descriptor.digest)
          : await keep(descriptor);
        if (!kept) throw removed(descriptor, root);
      }
      return () => {
        for (const descriptor of image) {
          if (!makeYoung(paths, descriptor.digest)) throw removed(descriptor, root);
          counted.delete(descriptor.digest);
        }
      };
    },
  };
}

/** False when there is no such file. A file that cannot be touched cannot be removed by us either. */
function makeYoung(paths: StorePaths, digest: Digest): boolean {
  const now = new Date();
  try {
    utimesSync(blobPath(paths, digest), now, now);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ENOENT';
  }
}

function removed({ digest }: Descriptor, root: Descriptor): OciError {
  return new OciError('BLOB_NOT_FOUND', `${digest}: removed from the store while ${root.digest} was copied`, {
    hint: 'run the same command again; give gc a longer --grace if this happens more than once',
  });
}
