// Run: a container from an image. Everything that can be refused is refused before anything is made.
import { join } from 'node:path';
import { storePaths } from '../blobstore/paths.ts';
import { OciError } from '../errors.ts';
import { randomName } from '../random-name.ts';
import { cgroupSupport } from '../runner/cgroups.ts';
import { type ContainerRecord, containerPaths } from '../runner/container.ts';
import { checkName } from '../runner/containers.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';
import type { Published } from '../runner/network/contract.ts';
import { listen, stopListening } from '../runner/network/listen.ts';
import { networksOf } from '../runner/network/networks.ts';
import { treePath } from '../runner/rootfs/trees.ts';
import { readBinaryFormats } from '../runner/spec/binfmt.ts';
import { checkCommand } from '../runner/spec/command.ts';
import { generateSpec } from '../runner/spec/generate.ts';
import { readHostFacts } from '../runner/spec/host-facts.ts';
import { openInside } from '../runner/spec/inside.ts';
import type { RunRequest } from '../runner/spec/run-request.ts';
import type { RuntimeSpec } from '../runner/spec/runtime-spec.ts';
import { userInside } from '../runner/spec/user-inside.ts';
import { volumesNeeded } from '../runner/spec/volumes.ts';
import type { Monitor } from '../runner/start-monitor.ts';
import { volumeFolders } from '../runner/volumes.ts';
import { chooseRuntime, findInit } from './choose-runtime.ts';
import type { Client } from './client.ts';
import { beginMonitor, launch, type Plan, type StartedContainer } from './launch.ts';
import { bringImage, type PullPolicy, runnableImage } from './run-image.ts';

export interface RunOptions {
  pull?: PullPolicy | undefined;
  /** Size of the terminal, for `request.terminal`. */
  window?: WindowSize | undefined;
  /** Called when all is said and done but the start: the next to write is the container. */
  onStart?: (() => void) | undefined;
  /** Open sockets for `request.publish`, in its order; they stay the caller's. Default: they are opened here. */
  published?: readonly Published[] | undefined;
}

/**
 * Starts a container; in the foreground it has this process's descriptors 0 to 2. Throws what bringing the image here
 * throws, USAGE, NAME_TAKEN, PORT_TAKEN, USER_NOT_FOUND, NETWORK_NOT_FOUND, UNSUPPORTED,
 * COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED.
 */
export async function run(
  client: Client,
  image: string,
  request: RunRequest,
  options: RunOptions = {},
): Promise<StartedContainer> {
  const opened = options.published === undefined ? listen(request.publish) : [];
  const published = options.published ?? opened;
  let monitor: Monitor | undefined;
  try {
    // It starts while this process reads about the image; one that is detached needs its log first.
    if (!request.detach) monitor = beginMonitor(request, { published });
    const publish = published.map(({ address, hostPort, containerPort, protocol }) => ({
      address,
      hostPort,
      containerPort,
      protocol,
    }));
    const plan = await planContainer(client, image, { ...request, publish }, options);
    return await launch(client, plan, { published, monitor, onStart: options.onStart });
  } catch (error) {
    await monitor?.cancel();
    throw error;
  } finally {
    stopListening(opened);
  }
}

async function planContainer(
  client: Client,
  name: string,
  request: RunRequest,
  { pull = 'missing', window }: RunOptions,
): Promise<Plan> {
  if (request.name !== undefined) checkName(request.name);
  const brought = await bringImage(client, name, pull);
  const store = storePaths((await client.store()).dir);
  const facts = readHostFacts();
  const oneId = facts.ids.uids.reduce((sum, { size }) => sum + size, 0) === 1;
  const image = await runnableImage(client, brought, oneId);
  const cgroups = facts.rootless ? undefined : cgroupSupport();
  const runtime = await chooseRuntime(client, store, request.runtime, facts.rootless);
  if (cgroups === undefined) runtime.missing.push('cgroups');
  // A normal user makes no devices, and the built-in runtime's file systems open none.
  if (cgroups === undefined && !facts.rootless && runtime.path !== undefined) {
    runtime.missing.push('device-cgroup');
  }
  if (request.requireIsolation && runtime.missing.length > 0) {
    throw new OciError('UNSUPPORTED', `${runtime.name} cannot give here: ${runtime.missing.join(', ')}`, {
      hint: 'choose another with --runtime, or leave out --require-isolation',
    });
  }
  const id = randomName(32);
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
    user: userInside(treePath(store, image.tree), request.user ?? image.config.User ?? ''),
    host: facts,
    rootfs: paths.rootfs,
    network: networksOf(request.networks) === 'host' ? 'host' : 'monitor',
    volumes,
    files: { hosts: paths.hosts, resolv: paths.resolv, hostname: paths.hostname },
    ...(cgroup !== undefined && { cgroup }),
    ...(request.init && { init: findInit() }),
  });
  if (request.terminal && window !== undefined) {
    spec.process.consoleSize = { height: window.rows, width: window.columns };
  }
  findCommand(treePath(store, image.tree), spec, facts.architecture);
  const record: ContainerRecord = {
    version: 1,
    id,
    name: request.name ?? `${shortName(name)}-${randomName(2)}`,
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
  return { store, record, spec, volumes, ensureTree: image.ensureTree, rootless: facts.rootless };
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

/** `docker.io/library/busybox:1` is busybox. */
function shortName(image: string): string {
  const last = image.split('/').at(-1) ?? '';
  return /^[a-z0-9][a-z0-9_.-]*/.exec(last)?.[0] ?? 'container';
}
