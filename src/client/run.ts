// Run: a container from an image. Everything that can be refused is refused before anything is made; what is made
// belongs to the container's monitor from then on, which removes it however this process ends.
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StorePaths, storePaths } from '../blobstore/paths.ts';
import { OciError, throwIfAborted } from '../errors.ts';
import { cgroupSupport } from '../runner/cgroups.ts';
import { chooseRuntime } from '../runner/choose-runtime.ts';
import { type ContainerPaths, type ContainerRecord, containerPaths } from '../runner/container.ts';
import { checkName, createContainer, removeContainer } from '../runner/containers.ts';
import type { ExitStatus } from '../runner/driver.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';
import type { Published } from '../runner/network/contract.ts';
import { listen, stopListening } from '../runner/network/listen.ts';
import { createNetworks, networksOf } from '../runner/network/networks.ts';
import { identify } from '../runner/processes.ts';
import { treePath } from '../runner/rootfs/trees.ts';
import { readBinaryFormats } from '../runner/spec/binfmt.ts';
import { checkCommand } from '../runner/spec/command.ts';
import { generateSpec } from '../runner/spec/generate.ts';
import { readHostFacts } from '../runner/spec/host-facts.ts';
import { openInside, textInside } from '../runner/spec/inside.ts';
import type { RunRequest } from '../runner/spec/run-request.ts';
import type { RuntimeSpec } from '../runner/spec/runtime-spec.ts';
import { MAX_ACCOUNTS_BYTES, type ResolvedUser, resolveUser } from '../runner/spec/user.ts';
import { volumesNeeded } from '../runner/spec/volumes.ts';
import { FIRST_PUBLISHED, type Monitor, startMonitor } from '../runner/start-monitor.ts';
import { makeVolumes, volumeFolders } from '../runner/volumes.ts';
import type { Client } from './client.ts';
import { type PullPolicy, type RunnableImage, runnableImage } from './run-image.ts';

export interface RunOptions {
  pull?: PullPolicy | undefined;
  /** Size of the terminal, for `request.terminal`. */
  window?: WindowSize | undefined;
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

/** A container that is thought out, and not made yet. */
interface Plan {
  store: StorePaths;
  record: ContainerRecord;
  spec: RuntimeSpec;
  image: RunnableImage;
  /** By target. */
  volumes: Map<string, string>;
  rootless: boolean;
}

/**
 * Starts a container; in the foreground it has this process's descriptors 0 to 2. Throws what bringing the image here
 * throws, USAGE, NAME_TAKEN, PORT_TAKEN, PATH_NOT_FOUND, USER_NOT_FOUND, NETWORK_NOT_FOUND, UNSUPPORTED,
 * COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED.
 */
export async function run(
  client: Client,
  image: string,
  request: RunRequest,
  options: RunOptions = {},
): Promise<StartedContainer> {
  const published = listen(request.publish);
  let plan: Plan;
  let container: ContainerPaths;
  let monitor: Monitor;
  try {
    plan = await planContainer(client, image, { ...request, publish: published.map(withoutDescriptor) }, options);
    container = await makeContainer(client, plan);
    monitor = start(container, request, published);
  } finally {
    stopListening(published);
  }
  const { record, store } = plan;
  try {
    const note = await monitor.prepare({
      store: store.root,
      id: record.id,
      name: record.name,
      tree: treePath(store, record.tree),
      runtime: record.runtime,
      rootless: plan.rootless,
      detach: request.detach,
      interactive: request.interactive,
      remove: request.remove,
      stopSignal: record.stopSignal,
      published: published.map((port, i) => ({ ...port, descriptor: FIRST_PUBLISHED + i })),
      ...(record.cgroup !== undefined && { cgroup: record.cgroup }),
      ...(options.window !== undefined && { window: options.window }),
    });
    const { attachments, notes } = await createNetworks(store.networks).attach({
      id: record.id,
      name: record.name,
      paths: container,
      request,
      monitor: identify(monitor.pid) ?? { pid: monitor.pid, startTime: '' },
    });
    for (const message of note === undefined ? notes : [note, ...notes]) {
      client.onProgress?.({ type: 'warning', message });
    }
    throwIfAborted(client.signal);
    await monitor.go(attachments);
  } catch (error) {
    await monitor.cancel();
    await createNetworks(store.networks).detach(record.id);
    // What could not be started is not kept: the error says why.
    await removeContainer(store, record);
    throw error;
  }
  return {
    id: record.id,
    name: record.name,
    exited: monitor.exited,
    signal: monitor.signal,
    resize: monitor.resize,
    release: monitor.release,
  };
}

async function planContainer(
  client: Client,
  name: string,
  request: RunRequest,
  { pull = 'missing' }: RunOptions,
): Promise<Plan> {
  if (request.name !== undefined) checkName(request.name);
  checkSources(request);
  const image = await runnableImage(client, name, pull);
  const store = storePaths((await client.store()).dir);
  const facts = readHostFacts();
  const cgroups = facts.rootless ? undefined : cgroupSupport();
  const runtime = await chooseRuntime(request.runtime);
  if (cgroups === undefined) runtime.missing.push('cgroups', 'device-cgroup');
  if (request.requireIsolation && runtime.missing.length > 0) {
    throw new OciError('UNSUPPORTED', `${runtime.name} cannot give here: ${runtime.missing.join(', ')}`, {
      hint: 'choose another with --runtime, or leave out --require-isolation',
    });
  }
  const id = randomBytes(32).toString('hex');
  const cgroup = cgroups && { path: `/ocitool-${id}`, swap: cgroups.swap };
  await image.ensureTree();
  const paths = containerPaths(store.containers, id);
  const volumes = volumeFolders(volumesNeeded(image.config, request), {
    named: store.volumes,
    anonymous: join(paths.folder, 'volumes'),
  });
  const spec = generateSpec({
    id,
    image: image.config,
    request,
    user: userOf(treePath(store, image.tree), request.user ?? image.config.User ?? ''),
    host: facts,
    rootfs: paths.rootfs,
    network: networksOf(request.networks) === 'host' ? 'host' : 'monitor',
    volumes,
    files: { hosts: paths.hosts, resolv: paths.resolv, hostname: paths.hostname },
    ...(cgroup !== undefined && { cgroup }),
  });
  findCommand(treePath(store, image.tree), spec, facts.architecture);
  const record: ContainerRecord = {
    version: 1,
    id,
    name: request.name ?? `${shortName(name)}-${randomBytes(2).toString('hex')}`,
    created: new Date().toISOString(),
    image: { name: image.name, digest: image.digest },
    request,
    args: spec.process.args,
    ports: request.publish,
    tree: image.tree,
    stopSignal: request.stopSignal ?? image.config.StopSignal ?? 'SIGTERM',
    runtime,
    ...(cgroup !== undefined && { cgroup: cgroup.path }),
  };
  return { store, record, spec, image, volumes, rootless: facts.rootless };
}

function userOf(tree: string, user: string): ResolvedUser {
  const inside = openInside(tree);
  try {
    const read = (path: string): string => textInside(inside, path, MAX_ACCOUNTS_BYTES);
    return resolveUser(user, read('/etc/passwd'), read('/etc/group'));
  } finally {
    inside.close();
  }
}

function findCommand(tree: string, { process: command, mounts }: RuntimeSpec, architecture: string): void {
  const inside = openInside(
    tree,
    mounts.map(({ destination }) => destination),
  );
  try {
    checkCommand(command, { inside, architecture, formats: readBinaryFormats() });
  } finally {
    inside.close();
  }
}

function checkSources(request: RunRequest): void {
  for (const mount of request.mounts) {
    if (mount.kind !== 'bind' || existsSync(mount.source)) continue;
    throw new OciError('PATH_NOT_FOUND', `${mount.source}: no such file or directory, to be mounted at ${mount.target}`, {
      hint: 'make it first, or give a name without a slash for a volume',
    });
  }
}

/** The container's folder with the files it starts from. */
async function makeContainer(client: Client, { store, record, spec, image, volumes }: Plan): Promise<ContainerPaths> {
  const isTreeThere = (): boolean => existsSync(treePath(store, record.tree));
  let paths = await createContainer(store, record, isTreeThere, client.signal);
  // gc may take a tree until there is a container on it.
  while (paths === undefined) {
    await image.ensureTree();
    paths = await createContainer(store, record, isTreeThere, client.signal);
  }
  for (const path of [paths.hosts, paths.resolv]) writeFileSync(path, '');
  writeFileSync(paths.hostname, `${spec.hostname}\n`);
  writeFileSync(paths.spec, JSON.stringify(spec));
  makeVolumes(volumes, treePath(store, record.tree));
  return paths;
}

function start(container: ContainerPaths, request: RunRequest, published: readonly Published[]): Monitor {
  // The container's own descriptors: nobody stands between it and its log, whatever becomes of the monitor.
  const log = request.detach ? openSync(container.log, 'a', 0o600) : undefined;
  try {
    return startMonitor({
      stdio: [request.interactive && !request.detach ? 0 : 'ignore', log ?? 1, log ?? 2],
      network: networksOf(request.networks) !== 'host',
      descriptors: published.map(({ descriptor }) => descriptor),
    });
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

function withoutDescriptor({ descriptor: _, ...port }: Published) {
  return port;
}

/** `docker.io/library/busybox:1` is busybox. */
function shortName(image: string): string {
  const last = image.split('/').at(-1) ?? '';
  return /^[a-z0-9][a-z0-9_.-]*/.exec(last)?.[0] ?? 'container';
}
