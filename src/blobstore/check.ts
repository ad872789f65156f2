// `check`: is the store what it should be? A named list of steps, each with its problems and its time. Changes nothing.
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isOciError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { monotonicMs } from '../monotonic-ms.ts';
import type { LongOptions } from '../place/progress.ts';
import { createVerifier } from '../place/verify.ts';
import type { Digest } from '../reference/digest.ts';
import { hasBlob, listBlobs, names, sizeOf } from './blob-files.ts';
import { walkStored } from './documents.ts';
import { nameOfKey, readIndexFile } from './index-file.ts';
import { isLayerIndexName } from './layer-index-files.ts';
import { readLayerRecord } from './layer-records.ts';
import { inspectLayout } from './layout.ts';
import { isNamesDatabaseDamaged } from './names-database.ts';
import { blobPath, layerRecordPath, type StorePaths } from './paths.ts';
import { listRefs } from './refs.ts';

/** Bytes read and hashed between two turns of the event loop. */
const CHUNK = 4 * 1024 * 1024;

export interface CheckStep {
  name: 'layout' | 'blobs' | 'names' | 'images' | 'partial downloads' | 'layer records';
  ok: boolean;
  /** One line each, naming the thing. */
  problems: string[];
  /** How long it took. */
  ms: number;
}

export interface StoreCheck {
  /** True when every step is. */
  ok: boolean;
  steps: CheckStep[];
}

type Step = (paths: StorePaths, options: LongOptions) => string[] | Promise<string[]>;

const STEPS: [CheckStep['name'], Step][] = [
  ['layout', checkLayout],
  ['blobs', checkBlobs],
  ['names', checkNames],
  ['images', checkImages],
  ['partial downloads', checkPartials],
  ['layer records', checkLayerRecords],
];

/** Runs every step. Events: each blob `started` and `done`, `advanced` within a large one. Throws ABORTED. */
export async function checkStore(paths: StorePaths, options: LongOptions = {}): Promise<StoreCheck> {
  const steps: CheckStep[] = [];
  for (const [name, step] of STEPS) {
    throwIfAborted(options.signal);
    const start = monotonicMs();
    const problems = await runStep(step, paths, options);
    steps.push({ name, ok: problems.length === 0, problems, ms: Math.round(monotonicMs() - start) });
  }
  return { ok: steps.every((step) => step.ok), steps };
}

/** A store so damaged that a step cannot go on is that step's problem, and the others still run. */
async function runStep(step: Step, paths: StorePaths, options: LongOptions): Promise<string[]> {
  try {
    return await step(paths, options);
  } catch (error) {
    if (isOciError(error, 'ABORTED') || !isOciError(error)) throw error;
    return [error.message];
  }
}

function checkLayout(paths: StorePaths): string[] {
  return inspectLayout(paths) ? [] : [`${paths.root}: no store here yet`];
}

async function checkBlobs(paths: StorePaths, options: LongOptions): Promise<string[]> {
  const { digests, strangers } = listBlobs(paths);
  const problems = strangers.map((name) => `${name} is not named by a digest`);
  for (const digest of digests) {
    const problem = await checkBlob(paths, digest, options);
    if (problem !== undefined)
      problems.push(`${problem}; remove blobs/${digest.replace(':', '/')} and pull again`);
  }
  return problems;
}

/** Hashes one blob. Its size is checked against the descriptors that name it in the step `images`. */
async function checkBlob(
  paths: StorePaths,
  digest: Digest,
  { signal, onProgress }: LongOptions,
): Promise<string | undefined> {
  const path = blobPath(paths, digest);
  const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest, size: sizeOf(path) };
  onProgress?.({ type: 'started', descriptor, offset: 0 });
  const verifier = createVerifier(descriptor);
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(1, descriptor.size)));
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    for (let length = -1; length !== 0; ) {
      throwIfAborted(signal);
      length = readSync(fd, buffer, 0, buffer.length, verifier.seen);
      verifier.update(buffer.subarray(0, length));
      if (length < CHUNK) continue;
      onProgress?.({ type: 'advanced', digest, bytes: verifier.seen });
      await nextTurn();
    }
    verifier.end();
  } catch (error) {
    throwIfAborted(signal);
    return isOciError(error) ? error.message : `${digest}: cannot be read: ${(error as Error).message}`;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  onProgress?.({ type: 'done', descriptor });
  return undefined;
}

function checkNames(paths: StorePaths): string[] {
  const listed = new Map(
    readIndexFile(paths.indexFile).map(({ key, descriptor }) => [key, descriptor.digest]),
  );
  const problems: string[] = [];
  if (isNamesDatabaseDamaged(paths))
    problems.push(`${paths.database} is damaged; any tag or pull makes it anew from index.json`);
  for (const { key, descriptor } of listRefs(paths)) {
    const other = listed.get(key);
    if (other === undefined)
      problems.push(`${label(key)} is missing in index.json; any tag or pull writes it anew`);
    else if (other !== descriptor.digest) problems.push(`${label(key)} is ${other} in index.json`);
  }
  return problems;
}

function checkImages(paths: StorePaths): string[] {
  const problems: string[] = [];
  for (const { key, descriptor } of listRefs(paths)) {
    walkStored(paths, descriptor, {
      isPresent: (wanted) => hasBlob(paths, wanted),
      problem: (line) => problems.push(`${label(key)}: ${line}`),
    });
  }
  return problems;
}

/** A partial download is no damage: only what cannot be one is told. `usage` has their number and bytes. */
function checkPartials(paths: StorePaths): string[] {
  return names(paths.ingest)
    .filter((name) => !/^(sha256|sha384|sha512)-[a-f0-9]+(\.lock)?(-journal)?$/.test(name))
    .map((name) => `${join(paths.ingest, name)} is not a partial download`);
}

function checkLayerRecords(paths: StorePaths): string[] {
  const problems: string[] = [];
  for (const name of names(paths.layers)) {
    // A damaged index is made again when it is next wanted; what a killed process was writing is for gc.
    if (isLayerIndexName(name) || name.endsWith('.tmp')) continue;
    const digest = /^(?:(sha384|sha512)-)?([a-f0-9]+)\.json$/.exec(name);
    const layer = `${digest?.[1] ?? 'sha256'}:${digest?.[2] ?? ''}` as Digest;
    if (digest === null || readLayerRecord(paths, layer) === undefined) {
      problems.push(
        `${digest === null ? join(paths.layers, name) : layerRecordPath(paths, layer)} is damaged; remove it`,
      );
    }
  }
  return problems;
}

function label(key: string): string {
  return nameOfKey(key) ?? key.slice(1);
}
