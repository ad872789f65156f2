// The monitor: one process for each container, born in the container's outer mount and network namespace (see
// start-monitor.ts), so that every mount and every network device goes when it goes. It waits for its job, mounts the
// root file system, waits again while the command attaches networks, has the driver launch, and ends with the container.
//
// An entry of its own in the bundle: it imports only what it needs, for it starts with every container.
import { openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type StorePaths, storePaths } from '../blobstore/paths.ts';
import { isOciError, OciError } from '../errors.ts';
import { bothDone } from './both-done.ts';
import { createCgroup, expectMove, removeCgroup } from './cgroups.ts';
import { type Attachment, type ContainerPaths, containerPaths, type ProcessIdentity } from './container.ts';
import { readContainer, removeContainer, writeState } from './containers.ts';
import type { ExitStatus, Launched } from './driver.ts';
import { loadDriver } from './drivers.ts';
import { libc } from './libc.ts';
import type { FromMonitor, MonitorJob, ToMonitor } from './monitor-messages.ts';
import type { Publisher } from './network/contract.ts';
import { identify, identifySelf, sendSignal } from './processes.ts';
import { mountRootfs } from './rootfs/mount.ts';
import { settleNetwork } from './settle-network.ts';
import type { RuntimeSpec } from './spec/runtime-spec.ts';
import { signalNumber } from './spec/signal.ts';

/** How long a container has, ms, after its stop signal when the command it belongs to has died. */
const GRACE = 10_000;

/** The command's network namespace, which is not this process's: the way out of networks leads there. */
const outside = openSync(`/proc/${process.ppid}/ns/net`, 'r');

let job: MonitorJob | undefined;
let running: { process: ProcessIdentity; started: string; launched: Launched } | undefined;
/** Signals that came before there was anybody to get them. */
const queue: NodeJS.Signals[] = [];
let publisher: Publisher | undefined;
let attached = false;
/** From the runtime's start until it is known what it has started. */
let launching = false;
let ended = false;

process.on('message', (message: ToMonitor) => {
  handle(message).catch(fail);
});
process.on('disconnect', () => {
  if (running !== undefined) stopOrphan(running.process);
  else if (!launching) void fail(new OciError('ABORTED', 'the command has died'));
});
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT'] as const) {
  process.on(signal, () => pass(signal));
}

async function handle(message: ToMonitor): Promise<void> {
  switch (message.type) {
    case 'prepare': {
      job = message.job;
      const paths = pathsOf(job);
      writeState(paths, { status: 'created', monitor: identifySelf() });
      settleNetwork();
      const { note } = mountRootfs(paths, job.tree, { rootless: job.rootless, passing: job.remove });
      tell({ type: 'ready', ...(note !== undefined && { note }) });
      return;
    }
    case 'go':
      await launch(job as MonitorJob, message.networks);
      return;
    case 'cancel':
      await finish({ code: 125 });
      return;
    case 'signal':
      pass(message.signal);
      return;
    case 'resize':
      if (running?.launched.terminal !== undefined) {
        libc().setWindowSize(running.launched.terminal, message.window.rows, message.window.columns);
      }
  }
}

async function launch(job: MonitorJob, networks: Attachment[]): Promise<void> {
  const paths = pathsOf(job);
  if (job.cgroup !== undefined) expectMove();
  const spec = JSON.parse(readFileSync(paths.spec, 'utf8')) as RuntimeSpec;
  const driver = await loadDriver(job.runtime);
  // OCI runtimes make their own.
  if (job.runtime.path === undefined && job.cgroup !== undefined)
    createCgroup(job.cgroup, spec.linux.resources);
  if (job.published.length > 0) {
    const { startPublisher } = await import('./network/publisher.ts');
    publisher = await startPublisher(job.published, networks[0]?.address.split('/')[0] ?? '127.0.0.1');
  }
  attached = networks.length > 0;
  // Node makes pipes non-blocking, for everybody who has them.
  for (const descriptor of [0, 1, 2]) libc().makeBlocking(descriptor);
  launching = true;
  const launched = await driver.launch({
    id: job.id,
    bundle: paths.folder,
    spec,
    stdio: [0, 1, 2],
    rootless: job.rootless,
  });
  const started = new Date().toISOString();
  // It may be over already.
  const child = identify(launched.pid) ?? { pid: launched.pid, startTime: '' };
  running = { process: child, started, launched };
  writeState(paths, {
    status: 'running',
    monitor: identifySelf(),
    process: child,
    started,
    driver: driver.name,
    missing: [...driver.missing],
    networks,
  });
  const relayed = launched.terminal === undefined ? undefined : await relay(job, launched.terminal);
  tell({ type: 'started', pid: launched.pid });
  for (const signal of queue.splice(0)) pass(signal);
  if (!process.connected) stopOrphan(child);
  const exit = await launched.exited;
  await relayed?.done;
  await finish(exit, started);
}

/** Loaded for terminals only. */
async function relay(job: MonitorJob, terminal: number): Promise<{ done: Promise<void> }> {
  const { relayTerminal } = await import('./terminal.ts');
  return { done: relayTerminal(terminal, { input: job.interactive && !job.detach }) };
}

function pass(signal: NodeJS.Signals): void {
  if (running !== undefined) sendSignal(running.process, signal);
  else if (job === undefined) void fail(new OciError('ABORTED', `stopped by ${signal}`));
  else queue.push(signal);
}

/** A container in the foreground belongs to its command: when that is killed, it is stopped. */
function stopOrphan(target: ProcessIdentity): void {
  if (job === undefined || job.detach) return;
  sendSignal(target, signalNumber(job.stopSignal));
  setTimeout(() => sendSignal(target, 'SIGKILL'), GRACE);
}

async function fail(error: unknown): Promise<void> {
  const known = isOciError(error);
  const message = error instanceof Error ? error.message : String(error);
  const failed = {
    code: known ? error.code : 'RUNTIME_FAILED',
    message: known ? message : `the monitor failed: ${message}`,
    ...(known && error.hint !== undefined && { hint: error.hint }),
  };
  tell({ type: 'failed', error: failed });
  await finish({ code: 125 }, undefined, message);
}

/** Takes away what the container had, tells how it ended, and ends. */
async function finish(exit: ExitStatus, started?: string, error?: string): Promise<void> {
  if (ended) return;
  ended = true;
  try {
    if (job !== undefined) await leave(job, exit, started, error);
  } catch {
    // A file that cannot be removed (one made immutable, say) stays in its folder: nobody waits for ever because of it.
  }
  if (running === undefined) leaveAtOnce();
  else tell({ type: 'exit', exit }, leaveAtOnce);
}

async function leave(job: MonitorJob, exit: ExitStatus, started?: string, error?: string): Promise<void> {
  const paths = pathsOf(job);
  await publisher?.close();
  await bothDone(leaveNetworks(job, paths), removeRootfs(job, paths));
  // Not before: whoever reads this may remove the folder, and two at once leave half of it.
  writeState(paths, {
    status: 'exited',
    exit,
    finished: new Date().toISOString(),
    ...(started !== undefined && { started }),
    ...(error !== undefined && { error }),
  });
  writeFileSync(paths.exit, JSON.stringify(exit));
  const container = job.remove ? readContainer(storeOf(job), job.id) : undefined;
  if (container !== undefined) await removeContainer(storeOf(job), container.record);
}

async function leaveNetworks(job: MonitorJob, { folder }: ContainerPaths): Promise<void> {
  if (attached) {
    const { createNetworks } = await import('./network/networks.ts');
    await createNetworks(storeOf(job).networks).detach(job.id, `/proc/${process.pid}/fd/${outside}`);
  }
  // Not before: whoever joins a network enters it by the file of somebody who is on it (network/leases.ts).
  for (const name of readdirSync(folder)) if (name.startsWith('switch-')) libc().unmount(join(folder, name));
}

async function removeRootfs({ cgroup }: MonitorJob, { rootfs, work, driver }: ContainerPaths): Promise<void> {
  if (cgroup !== undefined) await removeCgroup(cgroup);
  libc().unmount(rootfs);
  for (const path of [work, driver]) rmSync(path, { recursive: true, force: true });
}

/** `then`: once it is said, or nobody is there to hear it. */
function tell(message: FromMonitor, then = (): void => {}): void {
  // The command may have died without our knowing yet; without a callback that would end this process.
  if (process.connected) process.send?.(message, undefined, undefined, then);
  else then();
}

function leaveAtOnce(): void {
  // Only what is to be done at the end: what Node would put in order takes milliseconds.
  process.emit('exit', 0);
  libc().exitNow(0);
}

function pathsOf({ store, id }: MonitorJob): ContainerPaths {
  return containerPaths(storePaths(store).containers, id);
}

function storeOf({ store }: MonitorJob): StorePaths {
  return storePaths(store);
}

// The channel to the command keeps the process alive only while there is one.
setInterval(() => {}, 2 ** 30);
tell({ type: 'here' });
void beReady();

/** What a container will need takes 10 ms to load, which the command does not wait for now. */
async function beReady(): Promise<void> {
  try {
    libc();
    await Promise.all([import('./oci-runtime.ts'), import('./network/networks.ts')]);
    process.getBuiltinModule('node:child_process');
  } catch {
    // Whoever needs it will fail likewise, and say so.
  }
}
