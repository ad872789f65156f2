// gc: removes from the store what nothing leads to, and names that have grown old when asked.

import { existsSync } from 'node:fs';
import { matchesGlob } from 'node:path/posix';
import type { SweepOptions, Swept } from '../blobstore/gc.ts';
import { storePaths } from '../blobstore/paths.ts';
import { OciError } from '../errors.ts';
import { familiarReference, parseReference } from '../reference/reference.ts';
import { lockContainers, removeRemnants } from '../runner/containers.ts';
import type { Client } from './client.ts';

/**
 * A copy makes its blobs young every half minute: with less grace than twice that gc could take what is on its way, and the
 * copy would fail.
 */
const LEAST_GRACE = 60_000;

/** Options of `gc`. */
export interface GcOptions extends Omit<SweepOptions, 'keepName' | 'signal'> {
  /** Names that `olderThan` spares, in full, as they are usually written, or by an alias: `ghcr.io/me/**`, `alpine:3.*`. */
  keep?: readonly string[] | undefined;
}

/**
 * Frees what no name leads to. Safe beside pulls, uploads and another gc: what is younger than `grace` stays. A grace of 0
 * is for a store that nothing else uses at the time.
 * Throws STORE_INVALID when an image's document cannot be read, USAGE for patterns without an age and for less
 * than a minute of grace, ABORTED.
 */
export async function gc(client: Client, options: GcOptions = {}): Promise<Swept> {
  const { keep = [], ...rest } = options;
  if (keep.length > 0 && rest.olderThan === undefined) {
    throw new OciError('USAGE', '--keep spares names from --older-than, which is missing', {
      hint: 'without --older-than no name is removed',
    });
  }
  const { grace } = rest;
  if (grace !== undefined && grace > 0 && grace < LEAST_GRACE) {
    throw new OciError('USAGE', `a grace of ${grace / 1000}s is too short beside pulls that are under way`, {
      hint: 'give 1m or more; or 0, when nothing else uses the store',
    });
  }
  const patterns = [...keep, ...(await Promise.all(keep.map((pattern) => client.expand(pattern))))];
  const store = await client.store();
  const paths = storePaths(store.dir);
  if (rest.dryRun !== true && existsSync(paths.containers)) {
    const lock = await lockContainers(paths, client.signal);
    try {
      removeRemnants(paths);
    } finally {
      lock.release();
    }
  }
  return store.gc({
    ...rest,
    signal: client.signal,
    keepName: (name) => spellings(name).some((one) => patterns.some((pattern) => matchesGlob(one, pattern))),
  });
}

/** A name as the store has it, and as people write it. */
function spellings(name: string): string[] {
  try {
    return [name, familiarReference(parseReference(name))];
  } catch {
    return [name];
  }
}
