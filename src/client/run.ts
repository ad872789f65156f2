// Run: a container from an image. Everything that can be refused is refused before anything is made; what is made
// belongs to the container's monitor from then on, which removes it however this process ends.
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { type StorePaths, storePaths } from '../blobstore/paths.ts';
import { OciError } from '../errors.ts';
import { cgroupSupport } from '../runner/cgroups.ts';
import { chooseRuntime } from '../runner/choose-runtime.ts';
import type { Attachment, ContainerPaths, ContainerRecord } from '../runner/container.ts';
import { checkName, createContainer } from '../runner/containers.ts';
import type { ExitStatus } from '../runner/driver.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';
import { treePath } from '../runner/rootfs/trees.ts';
import { generateSpec } from '../runner/spec/generate.ts';
import { readHostFacts } from '../runner/spec/host-facts.ts';
import type { RunRequest } from '../runner/spec/run-request.ts';
import { resolveUser } from '../runner/spec/user.ts';
import { type Monitor, startMonitor } from '../runner/start-monitor.ts';
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

/**
 * Starts a container; in the foreground it has this process's descriptors 0 to 2. Throws what bringing the image here
 * throws, USAGE, NAME_TAKEN, PORT_TAKEN, USER_NOT_FOUND, NETWORK_NOT_FOUND, UNSUPPORTED, COMMAND_NOT_FOUND,
 * COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED.
 */
export async function run(
  client: Client,
  image: string,
  request: RunRequest,
  options: RunOptions = {},
): Promise<StartedContainer> {
  if (request.name !== undefined) checkName(request.name);
  const runtime = await chooseRuntime(request.runtime);
  const runnable = await runnableImage(client, image, options.pull ?? 'missing');
  const paths = storePaths((await client.store()).dir);
  const id = randomBytes(32).toString('hex');
  const facts = readHostFacts();
  const cgroups = facts.rootless ? undefined : cgroupSupport();
  if (cgroups === undefined) runtime.missing.push('cgroups', 'device-cgroup');
  if (request.requireIsolation && runtime.missing.length > 0) {
    throw new OciError('UNSUPPORTED', `${runtime.name} cannot give here: ${runtime.missing.join(', ')}`, {
      hint: 'choose another with --runtime, or leave out --require-isolation',
    });
  }
  const record: ContainerRecord = {
    version: 1,
    id,
    name: request.name ?? `${shortName(image)}-${randomBytes(2).toString('hex')}`,
    created: new Date().toISOString(),
    image: { name: runnable.name, digest: runnable.digest },
    request,
    tree: runnable.tree,
    stopSignal: request.stopSignal ?? runnable.config.StopSignal ?? 'SIGTERM',
    runtime,
    ...(cgroups !== undefined && { cgroup: `/ocitool-${id}` }),
  };
  const container = await makeFolder(client, paths, record, runnable);
  const monitor = start(container, request);
  try {
    const spec = generateSpec({
      id,
      image: runnable.config,
      request,
      user: resolveUser(request.user ?? runnable.config.User ?? '', '', ''),
      host: facts,
      rootfs: container.rootfs,
      network: 'monitor',
      ...(cgroups !== undefined && { cgroup: { path: record.cgroup as string, swap: cgroups.swap } }),
      files: { hosts: container.hosts, resolv: container.resolv, hostname: container.hostname },
    });
    for (const path of [container.hosts, container.resolv]) writeFileSync(path, '');
    writeFileSync(container.hostname, `${spec.hostname}\n`);
    writeFileSync(container.spec, JSON.stringify(spec));
    const note = await monitor.prepare({
      store: paths.root,
      id,
      name: record.name,
      tree: treePath(paths, record.tree),
      runtime,
      rootless: facts.rootless,
      detach: request.detach,
      interactive: request.interactive,
      remove: request.remove,
      stopSignal: record.stopSignal,
      published: [],
      ...(record.cgroup !== undefined && { cgroup: record.cgroup }),
      ...(options.window !== undefined && { window: options.window }),
    });
    if (note !== undefined) client.onProgress?.({ type: 'warning', message: note });
    const networks: Attachment[] = [];
    await monitor.go(networks);
  } catch (error) {
    await monitor.cancel();
    throw error;
  }
  return {
    id,
    name: record.name,
    exited: monitor.exited,
    signal: monitor.signal,
    resize: monitor.resize,
    release: monitor.release,
  };
}

/** gc may take the tree between its making and the container's: then it is made again. */
async function makeFolder(
  client: Client,
  paths: StorePaths,
  record: ContainerRecord,
  image: RunnableImage,
): Promise<ContainerPaths> {
  for (;;) {
    await image.ensureTree();
    const made = await createContainer(
      paths,
      record,
      () => existsSync(treePath(paths, record.tree)),
      client.signal,
    );
    if (made !== undefined) return made;
  }
}

function start(container: ContainerPaths, request: RunRequest): Monitor {
  const log = request.detach ? openSync(container.log, 'a', 0o600) : undefined;
  try {
    return startMonitor({
      stdio: [request.interactive && !request.detach ? 0 : 'ignore', log ?? 1, log ?? 2],
      network: true,
      descriptors: [],
    });
  } finally {
    if (log !== undefined) closeSync(log);
  }
}

/** `docker.io/library/busybox:1` is busybox. */
function shortName(image: string): string {
  const last = image.split('/').at(-1) ?? '';
  return /^[a-z0-9][a-z0-9_.-]*/.exec(last)?.[0] ?? 'container';
}
