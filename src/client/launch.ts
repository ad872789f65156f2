// Launch: a container that was thought out becomes one. What is made belongs to its monitor from then on, which removes
// it however this process ends.
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import type { StorePaths } from '../blobstore/paths.ts';
import { throwIfAborted } from '../errors.ts';
import { bothDone } from '../runner/both-done.ts';
import type { ContainerPaths, ContainerRecord } from '../runner/container.ts';
import { createContainer, removeContainer } from '../runner/containers.ts';
import type { ExitStatus } from '../runner/driver.ts';
import type { MonitorJob, WindowSize } from '../runner/monitor-messages.ts';
import type { Attached, Joining, Networks, Published } from '../runner/network/contract.ts';
import { createNetworks, networksOf } from '../runner/network/networks.ts';
import { identify } from '../runner/processes.ts';
import { treePath } from '../runner/rootfs/trees.ts';
import type { RunRequest } from '../runner/spec/run-request.ts';
import type { RuntimeSpec } from '../runner/spec/runtime-spec.ts';
import { FIRST_PUBLISHED, type Monitor, startMonitor } from '../runner/start-monitor.ts';
import { makeVolumes } from '../runner/volumes.ts';
import type { Client } from './client.ts';

/** A container that is thought out, and not made yet. */
export interface Plan {
  store: StorePaths;
  record: ContainerRecord;
  spec: RuntimeSpec;
  /** Makes sure that the tree is there. */
  ensureTree(): Promise<void>;
  /** By target. */
  volumes: Map<string, string>;
  rootless: boolean;
}

/** A container that has started. */
export interface StartedContainer {
  id: string;
  name: string;
  /** Its end. Rejects with RUNTIME_FAILED when its monitor was killed. */
  exited: Promise<ExitStatus>;
  signal(signal: NodeJS.Signals): void;
  resize(window: WindowSize): void;
  /** Lets it go on without this process. */
  release(): void;
}

export interface LaunchOptions {
  /** Sockets of this process, which stay its own. */
  published?: readonly Published[];
  /** Called before the container starts to write. */
  onStart?: (() => void) | undefined;
  /** One that is on its way already; it is ended when the container cannot be started. */
  monitor?: Monitor | undefined;
  /** Without input and output. */
  silent?: boolean;
}

/**
 * Throws NAME_TAKEN, NETWORK_NOT_FOUND, UNSUPPORTED, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED; nothing
 * is left then.
 */
export async function launch(
  client: Client,
  plan: Plan,
  { published = [], onStart, silent = false, monitor: begun }: LaunchOptions = {},
): Promise<StartedContainer> {
  const { record, store } = plan;
  const { id, name, request } = record;
  const paths = await makeContainer(client, plan);
  const networks = createNetworks(store.networks);
  let monitor = begun;
  try {
    writeFiles(paths, plan);
    const log = request.detach ? openSync(paths.log, 'a', 0o600) : undefined;
    try {
      monitor ??= beginMonitor(request, { published, log: silent ? 'ignore' : log });
    } finally {
      if (log !== undefined) closeSync(log);
    }
    const [note, { attachments, notes }] = await bothDone(
      monitor.prepare(jobOf(plan, published)),
      attach(monitor, networks, { id, name, paths, request }),
    );
    for (const message of note === undefined ? notes : [note, ...notes]) {
      client.onProgress?.({ type: 'warning', message });
    }
    throwIfAborted(client.signal);
    onStart?.();
    await monitor.go(attachments);
    const { exited, signal, resize, release } = monitor;
    return { id, name, exited, signal, resize, release };
  } catch (error) {
    await monitor?.cancel();
    await networks.detach(id);
    // What could not be started is not kept: the error says why.
    await removeContainer(store, record);
    throw error;
  }
}

function jobOf({ store, record, rootless }: Plan, published: readonly Published[]): MonitorJob {
  const { id, tree, runtime, request, stopSignal, cgroup } = record;
  return {
    store: store.root,
    id,
    tree: treePath(store, tree),
    runtime,
    rootless,
    detach: request.detach,
    interactive: request.interactive,
    remove: request.remove,
    stopSignal,
    published: published.map((port, i) => ({ ...port, descriptor: FIRST_PUBLISHED + i })),
    ...(cgroup !== undefined && { cgroup }),
  };
}

/** While the root file system is mounted, but not before the monitor has left this process's namespaces. */
async function attach(
  monitor: Monitor,
  networks: Networks,
  container: Omit<Joining, 'monitor'>,
): Promise<Attached> {
  await monitor.arrived();
  const { pid } = monitor;
  return networks.attach({ ...container, monitor: identify(pid) ?? { pid, startTime: '' } });
}

/** The container's folder. */
async function makeContainer(client: Client, { store, record, ensureTree }: Plan): Promise<ContainerPaths> {
  const isTreeThere = (): boolean => existsSync(treePath(store, record.tree));
  let paths = await createContainer(store, record, isTreeThere, client.signal);
  // gc may take a tree until there is a container on it.
  while (paths === undefined) {
    await ensureTree();
    paths = await createContainer(store, record, isTreeThere, client.signal);
  }
  return paths;
}

/** What it starts from. */
function writeFiles(paths: ContainerPaths, { store, record, spec, volumes }: Plan): void {
  for (const path of [paths.hosts, paths.resolv]) writeFileSync(path, '');
  writeFileSync(paths.hostname, `${spec.hostname}\n`);
  writeFileSync(paths.spec, JSON.stringify(spec));
  makeVolumes(volumes, treePath(store, record.tree));
}

/** Starts a container's monitor, which then waits. `log`: the container's output, its own from then on; default ours. */
export function beginMonitor(
  request: RunRequest,
  { published, log }: { published: readonly Published[]; log?: number | 'ignore' | undefined },
): Monitor {
  return startMonitor({
    // Nobody stands between the container and its log, whatever becomes of the monitor.
    stdio: [request.interactive && log === undefined ? 0 : 'ignore', log ?? 1, log ?? 2],
    network: networksOf(request.networks) !== 'host',
    descriptors: published.map(({ descriptor }) => descriptor),
  });
}
