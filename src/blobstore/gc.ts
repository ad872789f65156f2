// `gc`: marks what is in use, removes the rest. Safe beside pulls and uploads of any process, and beside another gc:
//
// - A blob goes only when its file is older than the grace period, looked at under the blob's lock. Whoever counts on
//   a blob makes it young first (keep.ts), so nothing goes that an image without a name yet is made of.
// - Partial files go only when nobody holds their lock.
// - What a name leads to was made young before the name was set, so a name set while this runs is safe too.
//
// Stopping half-way is harmless: each blob is a decision of its own, and parents have no say once they are unused.
import { renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileError, OciError, systemCode, throwIfAborted } from '../errors.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { listBlobs, names } from './blob-files.ts';
import { acquireFreeLock } from './lock.ts';
import { blobPath, partialPath, type StorePaths } from './paths.ts';
import { reachable } from './reachable.ts';
import { listRefs, refsBefore, removeRefsBefore } from './refs.ts';
import { forgetGone } from './served.ts';
import { sweepTrees } from './trees.ts';
import { type Amount, add, nothing } from './usage.ts';

/** Blobs looked at between two turns of the event loop. */
const BATCH = 64;

export interface SweepOptions {
  /** Names last set longer ago than this are removed first, ms. Default: none are. */
  olderThan?: number | undefined;
  /** Spares a name from `olderThan`. */
  keepName?: ((name: string) => boolean) | undefined;
  /** Unused blobs younger than this stay, ms. Default one hour. */
  grace?: number | undefined;
  /** Partial downloads and uploads untouched for this long are removed, ms. Default seven days. */
  partialAge?: number | undefined;
  /** Manifests that were pushed to `serve` by digest are unused unless a tag leads to them. */
  taggedOnly?: boolean | undefined;
  /** Changes nothing, only says what would go. */
  dryRun?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface Swept {
  dryRun: boolean;
  /** Names removed, as `list` gives them (`@digest` for an image without one). */
  names: string[];
  blobs: Amount;
  /** Unused too, but younger than the grace period or in somebody's hands: left. */
  young: Amount;
  /** Partial downloads and uploads. */
  partials: Amount;
  layerRecords: Amount;
  /** Root file systems that no image and no container needs. */
  trees: Amount;
  /** Sum of the bytes that went. */
  freed: number;
}

/** Throws STORE_INVALID when an image's document cannot be read: what it leads to would count as unused. ABORTED. */
export async function sweepStore(paths: StorePaths, options: SweepOptions = {}): Promise<Swept> {
  const { dryRun = false, grace = 3_600_000, partialAge = 7 * 86_400_000, signal } = options;
  const start = Date.now();
  const removedNames = await removeOldNames(paths, options, start);
  const gone = new Set(removedNames);
  const refs = listRefs(paths).filter(({ key }) => !(dryRun && gone.has(key)));
  const used = reachable(paths, refs, { taggedOnly: options.taggedOnly, onUnreadable: refuse });
  const result: Swept = {
    dryRun,
    names: removedNames,
    blobs: nothing(),
    young: nothing(),
    partials: nothing(),
    layerRecords: nothing(),
    trees: nothing(),
    freed: 0,
  };
  const { digests, strangers } = listBlobs(paths);
  const present = new Set<string>(digests);
  for (const [i, digest] of digests.entries()) {
    if (i % BATCH === 0) await nextTurn();
    throwIfAborted(signal);
    if (used.has(digest)) continue;
    const { size, went } = sweepFile(blobPath(paths, digest), lockPath(paths, digest), start - grace, dryRun);
    if (size === undefined) continue;
    add(went ? result.blobs : result.young, size);
    if (went) present.delete(digest);
  }
  sweepRecords(paths, present, dryRun, result.layerRecords);
  for (const path of leftovers(paths, strangers)) {
    const age = path.startsWith(paths.blobs) ? grace : partialAge;
    const { size, went } = sweepFile(path, leftoverLock(paths, path), start - age, dryRun);
    if (went && size !== undefined && !/\.lock(-journal)?$/.test(path)) add(result.partials, size);
  }
  result.trees = await sweepTrees(paths, { used, before: start - partialAge, dryRun });
  if (!dryRun) await forgetGone(paths);
  const { blobs, partials, layerRecords, trees } = result;
  result.freed = blobs.bytes + partials.bytes + layerRecords.bytes + trees.bytes;
  return result;
}

async function removeOldNames(paths: StorePaths, options: SweepOptions, now: number): Promise<string[]> {
  const { olderThan, keepName, dryRun } = options;
  if (olderThan === undefined) return [];
  const time = new Date(now - olderThan);
  const old = refsBefore(paths, time).filter((name) => keepName?.(name) !== true);
  return dryRun === true ? old : removeRefsBefore(paths, old, time);
}

/** Removes one file when it is older than `before` and nobody holds its lock. No size: it has gone already. */
function sweepFile(
  path: string,
  lockFile: string | undefined,
  before: number,
  dryRun: boolean,
): { size?: number; went: boolean } {
  const first = statSync(path, { throwIfNoEntry: false });
  if (first === undefined) return { went: false };
  const { size, mtimeMs } = first;
  if (mtimeMs >= before || dryRun) return { size, went: mtimeMs < before };
  const lock = lockFile === undefined ? undefined : acquireFreeLock(lockFile);
  if (lockFile !== undefined && lock === undefined) return { size, went: false };
  try {
    const now = statSync(path, { throwIfNoEntry: false });
    if (now === undefined) return { went: false };
    if (now.mtimeMs >= before) return { size, went: false };
    return { size: now.size, went: removeOld(path, before) };
  } catch (error) {
    // What has no lock may be another gc's a moment earlier.
    if (systemCode(error) === 'ENOENT') return { went: false };
    throw fileError(error, path);
  } finally {
    lock?.remove();
  }
}

/**
 * Out of the way first, then looked at again, then removed: whoever made the file young at this very moment without
 * the lock gets it back, and whoever comes later does not find it.
 */
function removeOld(path: string, before: number): boolean {
  const aside = `${path}.${process.pid}-gc.tmp`;
  renameSync(path, aside);
  const isOld = statSync(aside).mtimeMs < before;
  if (isOld) rmSync(aside, { force: true });
  // Another may have brought the same bytes again: replacing them changes nothing.
  else renameSync(aside, path);
  return isOld;
}

/** Removes what was learnt about layers that are gone. A layer that arrives meanwhile is read again, no more. */
function sweepRecords(paths: StorePaths, present: Set<string>, dryRun: boolean, amount: Amount): void {
  for (const name of names(paths.layers)) {
    const [, algorithm = 'sha256', hex] = /^(?:(sha384|sha512)-)?([a-f0-9]{64,128})\./.exec(name) ?? [];
    if (hex === undefined || present.has(`${algorithm}:${hex}`)) continue;
    const path = join(paths.layers, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    if (!dryRun) rmSync(path, { force: true });
    add(amount, stat.size);
  }
}

/** Partial downloads, locks that nobody removed, uploads, and half-written files among blobs and layer records. */
function leftovers(paths: StorePaths, strangers: string[]): string[] {
  return [
    ...names(paths.ingest).map((name) => join(paths.ingest, name)),
    ...names(paths.uploads).map((name) => join(paths.uploads, name)),
    ...strangers.filter((name) => name.endsWith('.tmp')).map((name) => join(paths.root, name)),
    ...names(paths.layers)
      .filter((name) => name.endsWith('.tmp'))
      .map((name) => join(paths.layers, name)),
  ];
}

/** The lock of whoever is at the file: a partial blob's, or that of the blob it was moved away from (removeOld) or written for. */
function leftoverLock(paths: StorePaths, path: string): string | undefined {
  if (path.startsWith(paths.ingest)) return `${path.replace(/(\.lock)?(-journal)?$/, '')}.lock`;
  const digest = `${basename(dirname(path))}:${basename(path).split('.')[0]}`;
  return path.startsWith(paths.blobs) && isDigest(digest) ? lockPath(paths, digest) : undefined;
}

function lockPath(paths: StorePaths, digest: Digest): string {
  return `${partialPath(paths, digest)}.lock`;
}

function refuse(digest: Digest): never {
  throw new OciError('STORE_INVALID', `${digest}: a document that cannot be read, so nothing is removed`, {
    hint: 'ocitool check says which image it belongs to; pull that again, or remove its name',
  });
}
