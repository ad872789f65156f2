// The verbs on containers that are there: list, log, stop, kill, wait, remove. A container's files say what it is; what
// they say of processes is checked against the processes, for a monitor may have been killed.
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type StorePaths, storePaths } from '../blobstore/paths.ts';
import { fileError, OciError, systemCode, throwIfAborted } from '../errors.ts';
import { removeCgroup } from '../runner/cgroups.ts';
import type { Attachment, ContainerState, ProcessIdentity } from '../runner/container.ts';
import {
  type Container,
  findContainer,
  listContainers,
  readState,
  removeContainer,
} from '../runner/containers.ts';
import type { ExitStatus, Protection } from '../runner/driver.ts';
import { isAlive, sendSignal } from '../runner/processes.ts';
import { parseSignal, signalNumber } from '../runner/spec/signal.ts';
import type { Client } from './client.ts';

/** How often to look whether a process has gone, ms: nothing tells of the end of another's child. */
const LOOK = 20;

/**
 * `unmonitored`: its monitor was killed, the container lives on. `dead`: both are gone and nobody saw how it ended.
 * `rm --force` mends either.
 */
export type ContainerStatus = 'created' | 'running' | 'unmonitored' | 'exited' | 'dead';

/** One line of `ps`. */
export interface ListedContainer {
  id: string;
  name: string;
  image: string;
  /** Of the platform's manifest. */
  digest: string;
  command: string[];
  /** ISO 8601. */
  created: string;
  status: ContainerStatus;
  started?: string;
  finished?: string;
  /** Of an exited one. */
  exit?: ExitStatus;
  /** Why it never ran. */
  error?: string;
  /** The first process, as root of the container's host sees it. */
  pid?: number;
  runtime: string;
  /** What the runtime cannot give on this machine. */
  missing: Protection[];
  networks: Attachment[];
  ports: { address: string; hostPort: number; containerPort: number; protocol: 'tcp' | 'udp' }[];
  labels: Record<string, string>;
}

/** Containers, the newest first; those that have ended only with `all`. */
export async function containers(client: Client, { all = false } = {}): Promise<ListedContainer[]> {
  const listed = listContainers(await pathsOf(client)).map(describe);
  return all ? listed : listed.filter(({ status }) => status === 'running' || status === 'unmonitored');
}

function describe(container: Container): ListedContainer {
  const { record, state } = container;
  const { id, name, image, created, request, runtime } = record;
  const status = statusOf(state);
  return {
    id,
    name,
    image: image.name,
    digest: image.digest,
    command: record.args,
    created,
    status,
    ...(state !== undefined && 'started' in state && { started: state.started }),
    ...(state?.status === 'exited' && {
      finished: state.finished,
      exit: state.exit,
      ...(state.error !== undefined && { error: state.error }),
    }),
    ...(state?.status === 'running' && status !== 'dead' && { pid: state.process.pid }),
    runtime: runtime.name,
    missing: runtime.missing,
    networks: state?.status === 'running' && status !== 'dead' ? state.networks : [],
    ports: record.ports,
    labels: request.labels,
  };
}

export function statusOf(state: ContainerState | undefined): ContainerStatus {
  switch (state?.status) {
    case 'exited':
      return 'exited';
    case 'created':
      return isAlive(state.monitor) ? 'created' : 'dead';
    case 'running':
      if (isAlive(state.monitor)) return 'running';
      return isAlive(state.process) ? 'unmonitored' : 'dead';
    case undefined:
      return 'dead';
  }
}

/** Sends a signal (a name, with or without SIG, or a number) to its first process. Throws CONTAINER_NOT_FOUND, NOT_RUNNING, USAGE. */
export async function kill(client: Client, name: string, signal = 'SIGKILL'): Promise<Container> {
  const number = signalNumber(parseSignal(signal, '--signal'));
  const container = findContainer(await pathsOf(client), name);
  if (!sendSignal(runningProcess(container), number)) throw notRunning(container);
  return container;
}

/**
 * Asks it to end, and after `seconds` (default 10) makes it. Done when it has ended; harmless for one that has.
 * Throws CONTAINER_NOT_FOUND, ABORTED.
 */
export async function stop(client: Client, name: string, seconds = 10): Promise<Container> {
  const container = findContainer(await pathsOf(client), name);
  const { state, record, paths } = container;
  if (state?.status !== 'running') return container;
  sendSignal(state.process, signalNumber(record.stopSignal));
  const deadline = Date.now() + seconds * 1000;
  while (isAlive(state.process)) {
    throwIfAborted(client.signal);
    if (Date.now() >= deadline) sendSignal(state.process, 'SIGKILL');
    await sleep(LOOK);
  }
  // The monitor has something to tidy up.
  while (readState(paths)?.status === 'running' && isAlive(state.monitor)) await sleep(LOOK);
  return container;
}

/** Waits for its end; an end that nobody saw counts as 125. Throws CONTAINER_NOT_FOUND, ABORTED. */
export async function wait(client: Client, name: string): Promise<ExitStatus> {
  const container = findContainer(await pathsOf(client), name);
  const exit = openExit(container);
  if (exit === undefined) return { code: 125 };
  try {
    for (;;) {
      const status = statusOf(readState(container.paths) ?? container.state);
      // Held open, it can be read although `run --rm` has removed it.
      const text = readFileSync(`/proc/self/fd/${exit}`, 'utf8');
      if (text !== '') return JSON.parse(text) as ExitStatus;
      if (status === 'dead') return { code: 125 };
      throwIfAborted(client.signal);
      await sleep(LOOK);
    }
  } finally {
    closeSync(exit);
  }
}

function openExit({ paths }: Container): number | undefined {
  try {
    return openSync(paths.exit, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw fileError(error, paths.exit);
  }
}

/**
 * Removes a container; a running one only with `force`, which also mends what a killed monitor left.
 * Throws CONTAINER_NOT_FOUND, USAGE for a running one.
 */
export async function removeOne(client: Client, name: string, { force = false } = {}): Promise<Container> {
  const store = await pathsOf(client);
  const container = findContainer(store, name);
  const status = statusOf(container.state);
  if (status !== 'exited' && status !== 'dead') {
    if (!force) {
      throw new OciError('USAGE', `${name}: the container is running`, {
        hint: `stop it first, or: ocitool rm --force ${name}`,
      });
    }
    await end(container);
  }
  const { id, cgroup } = container.record;
  if (cgroup !== undefined) await removeCgroup(cgroup);
  const { createNetworks } = await import('../runner/network/networks.ts');
  await createNetworks(store.networks).detach(id);
  await removeContainer(store, container.record);
  return container;
}

/** Kills its process, then waits for the monitor, which may want to remove it itself; a stuck monitor is killed too. */
async function end({ state, paths }: Container): Promise<void> {
  if (state === undefined || state.status === 'exited') return;
  const [first, second] =
    state.status === 'running' ? [state.process, state.monitor] : [state.monitor, undefined];
  sendSignal(first, state.status === 'running' ? 'SIGKILL' : 'SIGTERM');
  const deadline = Date.now() + 5000;
  while (isAlive(first) || (second !== undefined && isAlive(second))) {
    if (readState(paths)?.status === 'exited') break;
    if (Date.now() > deadline) sendSignal(second ?? first, 'SIGKILL');
    await sleep(LOOK);
  }
}

/** The first process of a running container. Throws NOT_RUNNING. */
export function runningProcess(container: Container): ProcessIdentity {
  const { state } = container;
  if (state?.status === 'running' && isAlive(state.process)) return state.process;
  throw notRunning(container);
}

function notRunning({ record, state }: Container): OciError {
  return new OciError('NOT_RUNNING', `${record.name}: the container is not running`, {
    hint:
      state?.status === 'exited'
        ? `it has ended; remove it with: ocitool rm ${record.name}`
        : 'see ocitool ps -a',
  });
}

export async function pathsOf(client: Client): Promise<StorePaths> {
  return storePaths((await client.store()).dir);
}
