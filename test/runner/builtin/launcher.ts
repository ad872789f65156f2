// Starts containers with the built-in driver for a test: a root file system of busybox, a bundle each, and one process in
// namespaces of its own (launch-service.ts) as everybody's monitor.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { ExitStatus } from '../../../src/runner/driver.ts';
import { type GenerateInput, generateSpec } from '../../../src/runner/spec/generate.ts';
import { readHostFacts } from '../../../src/runner/spec/host-facts.ts';
import type { RunRequest } from '../../../src/runner/spec/run-request.ts';
import type { RuntimeSpec } from '../../../src/runner/spec/runtime-spec.ts';
import { hasTools } from '../../support/tools.ts';
import { inputOf, requestOf } from '../spec/requests.ts';

export interface Job {
  id: number;
  /** The bundle, with files `in`, `out` and `err`. */
  folder: string;
  spec: RuntimeSpec;
  rootless: boolean;
  /** Pid of a container to join, as the service sees it. */
  container: number | undefined;
  /** For a terminal: what to type after what has come. */
  answers: { after: string; type: string }[];
}

export type Answer =
  | { id: number; type: 'started'; pid: number }
  | { id: number; type: 'ended'; exit: ExitStatus; stdout: string; stderr: string }
  | { id: number; type: 'failed'; code: string; message: string; hint: string | undefined };

export interface RunOptions {
  request?: Partial<RunRequest>;
  user?: Partial<GenerateInput['user']>;
  input?: Partial<GenerateInput>;
  /** Changes the spec before it is used. */
  change?: (spec: RuntimeSpec) => void;
  /** False: a pipe of root's, with nothing in it. */
  stdin?: string | false;
  container?: number;
  answers?: Job['answers'];
}

export type Outcome =
  | { exit: ExitStatus; stdout: string; stderr: string }
  | { code: string; message: string; hint: string | undefined };

/** A process that was told to start, until it has ended. */
export interface Running {
  started: Promise<number>;
  outcome: Promise<Outcome>;
}

export interface Launcher {
  /** Where the root file system is; a test may change it before it starts something. */
  rootfs: string;
  folder: string;
  service: ChildProcess;
  start(command: string[], options?: RunOptions): Running;
  run(command: string[], options?: RunOptions): Promise<Outcome>;
  close(): Promise<void>;
}

/** True where the built-in driver can be tried for real; else false, with one printed line. */
export function canLaunch(): boolean {
  if (process.geteuid?.() !== 0) {
    console.log('SKIPPED the built-in driver: these tests must start as root');
    return false;
  }
  return process.platform === 'linux' && hasTools('unshare', 'busybox');
}

const APPLETS = ['sh', 'true', 'cat', 'id', 'ls', 'mount', 'sleep', 'env', 'echo', 'kill', 'stty', 'tty'];

export interface LauncherOptions {
  /** What comes before the service: the namespaces it lives in. */
  wrapper?: string[];
  rootless?: boolean;
  host?: GenerateInput['host'];
  /** Who starts the service: the folder becomes this user's. */
  owner?: number;
}

export async function startLauncher(options: LauncherOptions = {}): Promise<Launcher> {
  const { wrapper = ['unshare', '--mount', '--net', '--propagation', 'slave'], rootless = false } = options;
  const folder = mkdtempSync(join(tmpdir(), 'builtin-'));
  const rootfs = join(folder, 'rootfs');
  makeRootfs(rootfs);
  const [program, ...args] = [...wrapper, process.execPath, await buildService(folder)];
  const giveAway = (path: string): void => {
    if (options.owner !== undefined) spawnSync('chown', ['-R', `${options.owner}:${options.owner}`, path]);
  };
  giveAway(folder);
  const service = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const running = new Map<number, (answer: Answer) => void>();
  service.on('message', (answer: Answer) => running.get(answer.id)?.(answer));
  service.on('exit', () => {
    for (const [id, answer] of running) answer({ id, type: 'failed', code: 'GONE', message: '', hint: '' });
  });
  let next = 0;

  function start(command: string[], run: RunOptions = {}): Running {
    const id = next++;
    const bundle = join(folder, String(id));
    mkdirSync(bundle);
    const input = join(bundle, 'in');
    if (run.stdin === false) spawnSync('mkfifo', ['-m', '600', input]);
    else writeFileSync(input, run.stdin ?? '');
    // Nobody waits to open a pipe that has both sides open.
    const pipe = run.stdin === false ? openSync(input, 'r+') : undefined;
    for (const name of ['out', 'err']) writeFileSync(join(bundle, name), '');
    giveAway(bundle);
    const spec = generateSpec(
      inputOf({
        host: options.host ?? readHostFacts(),
        rootfs,
        request: requestOf({ command, ...run.request }),
        user: { uid: 0, gid: 0, additionalGids: [], home: '/', ...run.user },
        ...run.input,
      }),
    );
    run.change?.(spec);
    const started = Promise.withResolvers<number>();
    const outcome = Promise.withResolvers<Outcome>();
    started.promise.catch(() => {});
    running.set(id, (answer) => {
      if (answer.type === 'started') {
        started.resolve(answer.pid);
        return;
      }
      running.delete(id);
      if (pipe !== undefined) closeSync(pipe);
      started.reject(new Error(JSON.stringify(answer)));
      const { id: _, type: __, ...rest } = answer;
      outcome.resolve(rest);
    });
    const { container, answers = [] } = run;
    service.send({ id, folder: bundle, spec, rootless, container, answers } satisfies Job);
    return { started: started.promise, outcome: outcome.promise };
  }

  return {
    rootfs,
    folder,
    service,
    start,
    run: (command, run) => start(command, run).outcome,
    async close() {
      if (service.exitCode === null && service.signalCode === null) {
        const ended = once(service, 'exit');
        service.kill('SIGKILL');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** As it is shipped: started from its sources, each init would take three times as long. */
async function buildService(folder: string): Promise<string> {
  const outdir = join(folder, 'bundle');
  const common = { bundle: true, platform: 'node', outdir, logLevel: 'warning' } as const;
  const service = join(import.meta.dirname, 'launch-service.ts');
  const init = join(import.meta.dirname, '../../../src/runner/builtin/container-init.ts');
  await Promise.all([
    build({ ...common, entryPoints: [service], format: 'esm', outExtension: { '.js': '.mjs' } }),
    build({ ...common, entryPoints: [init], format: 'cjs', outExtension: { '.js': '.cjs' } }),
  ]);
  return join(outdir, 'launch-service.mjs');
}

/** busybox and nothing else. */
export function makeRootfs(rootfs: string): void {
  mkdirSync(join(rootfs, 'bin'), { recursive: true });
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'));
  for (const name of APPLETS) symlinkSync('busybox', join(rootfs, 'bin', name));
}

/** The outcome's stdout; fails the test when it did not end well. */
export function stdoutOf(outcome: Outcome): string {
  if (!('exit' in outcome) || !('code' in outcome.exit) || outcome.exit.code !== 0) {
    throw new Error(`it did not end well: ${JSON.stringify(outcome)}`);
  }
  return outcome.stdout;
}
