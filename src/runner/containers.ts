// The folder of containers: making one under a free name, finding it again, removing it. One lock guards names, and
// that no tree of files goes while a container is made on it.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { names as namesIn } from '../blobstore/blob-files.ts';
import { acquireLock, type BlobLock } from '../blobstore/lock.ts';
import type { StorePaths } from '../blobstore/paths.ts';
import { replaceFile } from '../blobstore/write-file.ts';
import { fileError, OciError, systemCode } from '../errors.ts';
import { namesIfThere } from '../if-there.ts';
import {
  type ContainerPaths,
  type ContainerRecord,
  type ContainerState,
  containerPaths,
} from './container.ts';

const ID = /^[a-f0-9]{64}$/;
/** Docker's grammar of names. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** A container as its files tell of it. */
export interface Container {
  paths: ContainerPaths;
  record: ContainerRecord;
  /** Absent for a moment after it was made, or for good when its maker was killed then. */
  state: ContainerState | undefined;
}

/** Throws USAGE for a name that cannot be one. */
export function checkName(name: string): void {
  if (NAME.test(name) && name.length <= 128) return;
  throw new OciError('USAGE', `${name}: not a name for a container`, {
    hint: 'two or more of letters, digits, dot, dash and underscore, a letter or digit first',
  });
}

/**
 * Makes the container's folder and takes its name. `isTreeThere` false: gc was faster, nothing is made.
 * Throws NAME_TAKEN, PERMISSION, DISK_FULL, ABORTED.
 */
export async function createContainer(
  store: StorePaths,
  record: ContainerRecord,
  isTreeThere: () => boolean,
  signal?: AbortSignal,
): Promise<ContainerPaths | undefined> {
  const paths = containerPaths(store.containers, record.id);
  try {
    mkdirSync(namesFolder(store), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, store.containers);
  }
  const lock = await lockContainers(store, signal);
  try {
    if (!isTreeThere()) return undefined;
    const holder = idOfName(store, record.name);
    if (holder !== undefined && readContainer(store, holder) !== undefined) {
      throw new OciError(
        'NAME_TAKEN',
        `the name ${record.name} is taken by container ${holder.slice(0, 12)}`,
        {
          hint: `choose another, or free it with: ocitool rm ${record.name}`,
        },
      );
    }
    mkdirSync(paths.folder, { mode: 0o700 });
    writeFileSync(paths.exit, '');
    writeFileSync(join(namesFolder(store), record.name), record.id);
    // In one step: from here on others find the container, without the lock.
    replaceFile(paths.record, JSON.stringify(record));
    return paths;
  } catch (error) {
    throw fileError(error, paths.folder);
  } finally {
    lock.release();
  }
}

/** Every container, the newest first. */
export function listContainers(store: StorePaths): Container[] {
  const found: Container[] = [];
  for (const id of namesIn(store.containers).filter((name) => ID.test(name))) {
    const container = readContainer(store, id);
    if (container !== undefined) found.push(container);
  }
  return found.sort((a, b) => (a.record.created < b.record.created ? 1 : -1));
}

/** By name, id, or the beginning of an id that only one has. Throws CONTAINER_NOT_FOUND, USAGE when several fit. */
export function findContainer(store: StorePaths, name: string): Container {
  const id = NAME.test(name) ? idOfName(store, name) : undefined;
  const ids = id === undefined ? idsBeginning(store, name) : [id];
  if (ids.length > 1) {
    throw new OciError('USAGE', `${name}: ${ids.length} containers have an id that begins so`);
  }
  const container = ids[0] === undefined ? undefined : readContainer(store, ids[0]);
  if (container !== undefined) return container;
  throw new OciError('CONTAINER_NOT_FOUND', `${name}: no such container`, {
    hint: 'see which there are with: ocitool ps -a',
  });
}

/** The container with this id; undefined when it has gone, or is not there whole. */
export function readContainer(store: StorePaths, id: string): Container | undefined {
  const paths = containerPaths(store.containers, id);
  const record = readJson<ContainerRecord>(paths.record);
  return record && { paths, record, state: readState(paths) };
}

export function readState(paths: ContainerPaths): ContainerState | undefined {
  return readJson<ContainerState>(paths.state);
}

/** Replaces the state in one step. Only the monitor does, and whoever finds it dead. */
export function writeState(paths: ContainerPaths, state: ContainerState): void {
  replaceFile(paths.state, JSON.stringify(state));
}

/** Frees the name and removes the folder. Harmless when done already. Throws IO, PERMISSION. */
export async function removeContainer(store: StorePaths, record: ContainerRecord): Promise<void> {
  const paths = containerPaths(store.containers, record.id);
  const lock = await lockContainers(store);
  try {
    if (idOfName(store, record.name) === record.id) {
      rmSync(join(namesFolder(store), record.name), { force: true });
    }
    // What reads this folder finds no container in it from here on.
    rmSync(paths.record, { force: true });
  } finally {
    lock.release();
  }
  try {
    rmSync(paths.folder, { recursive: true, force: true });
  } catch (error) {
    throw fileError(error, paths.folder);
  }
}

/** Younger folders without a record may be somebody's who is removing them, ms. */
const REMNANT_AGE = 60_000;

/** Removes folders of processes that were killed while they made or removed one. Call with the lock held. */
export function removeRemnants(store: StorePaths): void {
  for (const id of namesIn(store.containers).filter((name) => ID.test(name))) {
    const paths = containerPaths(store.containers, id);
    const age = Date.now() - (statSync(paths.folder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > REMNANT_AGE && statSync(paths.record, { throwIfNoEntry: false }) === undefined) {
      rmSync(paths.folder, { recursive: true, force: true });
    }
  }
}

/** Nobody else makes or names a container, or removes a tree, until it is released. */
export function lockContainers(store: StorePaths, signal?: AbortSignal): Promise<BlobLock> {
  return acquireLock(join(store.containers, 'lock'), signal);
}

function namesFolder(store: StorePaths): string {
  return join(store.containers, 'names');
}

function idOfName(store: StorePaths, name: string): string | undefined {
  try {
    return readFileSync(join(namesFolder(store), name), 'utf8');
  } catch {
    return undefined;
  }
}

function idsBeginning(store: StorePaths, start: string): string[] {
  if (!/^[a-f0-9]+$/.test(start)) return [];
  return namesIfThere(store.containers).filter((id) => ID.test(id) && id.startsWith(start));
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw fileError(error, path);
  }
}
