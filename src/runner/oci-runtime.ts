// The driver of OCI runtimes: crun, runc, youki, or another that takes the same command line. The runtime sets the
// container up and leaves; the monitor adopts the container's first process and so learns exactly how it ended.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OciError } from '../errors.ts';
import { unifiedBesideOthers } from './cgroups.ts';
import type { RuntimeChoice } from './container.ts';
import type { Driver, ExecRequest, ExitStatus, Launch, Launched } from './driver.ts';
import { libc, MS_NODEV, MS_NOSUID } from './libc.ts';
import type { RuntimeSpec } from './spec/runtime-spec.ts';
import { watchExit } from './watch-exit.ts';

/** The driver for the runtime at `choice.path`. */
export function createOciDriver(choice: RuntimeChoice & { path: string }): Driver {
  const { name, path, missing } = choice;
  return {
    name,
    path,
    missing,
    launch: (launch) => launchContainer(choice, launch),
    exec: (request) => execInContainer(choice, request),
  };
}

async function launchContainer(choice: RuntimeChoice & { path: string }, launch: Launch): Promise<Launched> {
  const { bundle, id, spec, stdio } = launch;
  const driver = join(bundle, 'driver');
  mkdirSync(driver, { recursive: true, mode: 0o700 });
  libc().adoptOrphans();
  hideUnified(choice);
  const pidFile = join(driver, 'pid');
  // Relative, for socket paths end after 107 bytes; runtimes go to the bundle before they connect.
  const consoleSocket = 'driver/console';
  process.chdir(bundle);
  const listener = spec.process.terminal ? libc().listenUnix(consoleSocket) : undefined;
  try {
    const args = ['run', '--detach', '--bundle', bundle, '--pid-file', pidFile];
    if (listener !== undefined) args.push('--console-socket', consoleSocket);
    const child = spawn(choice.path, [...globalFlags(choice, driver, spec), ...args, id], {
      stdio: listener === undefined ? [...stdio] : 'ignore',
      env: { ...process.env, LISTEN_FDS: undefined, NODE_CHANNEL_FD: undefined },
    });
    const end = await endOf(child);
    if (!('code' in end) || end.code !== 0) throw failure(choice, driver, end);
    const pid = Number(readFileSync(pidFile, 'latin1'));
    const launched: Launched = { pid, exited: watchExit(pid) };
    if (listener !== undefined) launched.terminal = libc().receiveDescriptor(listener);
    return launched;
  } finally {
    if (listener !== undefined) closeSync(listener);
    rmSync(join(driver, 'console'), { force: true });
  }
}

async function execInContainer(
  choice: RuntimeChoice & { path: string },
  { bundle, id, spec, stdio }: ExecRequest,
): Promise<Launched> {
  const driver = join(bundle, 'driver');
  const pidFile = join(driver, `exec-${process.pid}.pid`);
  const processFile = join(driver, `exec-${process.pid}.json`);
  writeFileSync(processFile, JSON.stringify(spec.process), { mode: 0o600 });
  const args = ['exec', '--process', processFile, '--pid-file', pidFile, id];
  const [program = '', ...rest] = inPrivate(choice, [
    choice.path,
    ...globalFlags(choice, driver, spec),
    ...args,
  ]);
  const child = spawn(program, rest, { cwd: bundle, stdio: [...stdio] });
  const exited = endOf(child).finally(() => {
    for (const file of [processFile, pidFile]) rmSync(file, { force: true });
  });
  if (child.pid === undefined) throw failure(choice, driver, await exited);
  return {
    pid: child.pid,
    exited,
    signal(signal) {
      if (existsSync(pidFile)) process.kill(Number(readFileSync(pidFile, 'latin1')), signal);
    },
  };
}

/** State and log of the runtime stay in the container's folder and go with it. */
function globalFlags({ name }: RuntimeChoice, driver: string, { linux }: RuntimeSpec): string[] {
  // The log relative to the bundle: crun takes what is before a colon for a kind of log.
  const flags = ['--root', join(driver, 'state'), '--log', 'driver/log', '--log-format', 'json'];
  const manager = linux.cgroupsPath === undefined ? 'disabled' : 'cgroupfs';
  if (name === 'crun') flags.push('--cgroup-manager', manager);
  return flags;
}

/**
 * crun 1.8 gives up on a hybrid machine. This process's mount namespace is its own; what a user namespace has inherited
 * cannot be unmounted in it, but covered.
 */
function hideUnified({ name }: RuntimeChoice): void {
  const mount = name === 'crun' ? unifiedBesideOthers() : undefined;
  if (mount !== undefined) libc().mount('none', mount, 'tmpfs', MS_NOSUID | MS_NODEV);
}

/** The same for a command of a process that shares its mount namespace. */
function inPrivate({ name }: RuntimeChoice, command: string[]): string[] {
  const mount = name === 'crun' ? unifiedBesideOthers() : undefined;
  if (mount === undefined) return command;
  const script = 'mount -t tmpfs none "$0" && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, mount, ...command];
}

function endOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once('error', () => resolve({ code: 125 }));
    child.once('exit', (code, signal) => resolve(signal === null ? { code: code ?? 125 } : { signal }));
  });
}

/** What the runtime wrote to its log, last line first. */
function failure({ name, path }: RuntimeChoice, driver: string, end: ExitStatus): OciError {
  let said: string | undefined;
  try {
    for (const line of readFileSync(join(driver, 'log'), 'utf8').trim().split('\n')) {
      const { level, msg } = JSON.parse(line) as { level?: string; msg?: string };
      if (msg !== undefined && level !== 'warning') said = msg;
    }
  } catch {
    // No log, or not JSON: its exit is all there is to tell.
  }
  const how = 'code' in end ? `exit ${end.code}` : end.signal;
  return new OciError('RUNTIME_FAILED', `${name}: ${(said ?? how).split('\n')[0]}`, {
    hint: `it is ${path}; try another with --runtime`,
  });
}
