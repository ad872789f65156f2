// A machine for tests of networks: a network namespace with loopback and nothing else, in which the runner's code runs in
// a process of its own. Processes in further namespaces stand for containers. No packet leaves it, and the machine that
// runs the tests is not touched.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ErrorCode } from '../../src/errors.ts';
import type { Attached } from '../../src/runner/network/contract.ts';
import type { NetworkInfo } from '../../src/runner/network/manage.ts';
import type { NewNetwork } from '../../src/runner/network/new-network.ts';
import { hasTools } from './tools.ts';

export interface ContainerSetup {
  id: string;
  name: string;
  pid: number;
  paths: { folder: string; hosts: string; resolv: string };
  request: { networks: string[]; hostname?: string };
}

export interface Call {
  number: number;
  method: 'attach' | 'detach' | 'createNetwork' | 'listNetworks' | 'removeNetwork';
  args: unknown[];
}

export type Answer = { number: number } & (
  | { result: unknown }
  | { error: { message: string; code?: ErrorCode; hint?: string | undefined } }
);

/** What a command said, and how it ended. */
export interface Ran {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** A process that stands for a container's monitor. */
export interface FakeContainer extends ContainerSetup {
  /** Its /etc/hosts, as it is now. */
  hosts(): string;
  /** Runs a command in it. */
  run(command: string[], input?: string): Ran;
  /** Starts one that goes on; it ends with the container's `kill`, or when the machine is closed. */
  start(command: string[]): ChildProcess;
  /** Ends it as kill -9 does: nobody detaches it. */
  kill(): Promise<void>;
}

export interface Machine {
  folder: string;
  pid: number;
  run(command: string[]): Ran;
  start(command: string[]): ChildProcess;
  /** A process in namespaces of its own, on no network yet. */
  container(name: string, networks: string[]): Promise<FakeContainer>;
  attach(container: FakeContainer): Promise<Attached>;
  detach(container: FakeContainer): Promise<void>;
  createNetwork(options: NewNetwork): Promise<NetworkInfo>;
  listNetworks(): Promise<NetworkInfo[]>;
  removeNetwork(name: string): Promise<void>;
  close(): Promise<void>;
}

/** True where this process may make namespaces and has the tools; else false, with one printed line. */
export function canUseNetworks(): boolean {
  if (!hasTools('ip', 'nft', 'unshare', 'nsenter', 'busybox')) return false;
  const probe =
    'ip link add probe1 type veth peer name probe2 && nft add table bridge probe && nft add table inet probe';
  const { status, stderr } = spawnSync('unshare', ['--mount', '--net', 'sh', '-c', probe], {
    encoding: 'utf8',
  });
  if (status !== 0)
    console.log(`SKIPPED networks of containers: this machine allows none: ${stderr.trim().split('\n')[0]}`);
  return status === 0;
}

/** Opens a machine; `prefix` runs the agent, by default as this user. */
export async function openMachine(prefix: readonly string[] = ['unshare', '--net']): Promise<Machine> {
  const folder = mkdtempSync(join(tmpdir(), 'ocitool-netns-'));
  const networks = join(folder, 'networks');
  const [command = '', ...args] = prefix;
  const agent = spawn(command, [...args, process.execPath, join(import.meta.dirname, 'netns-agent.ts')], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const pending = new Map<number, (answer: Answer) => void>();
  agent.on('message', (answer: Answer) => pending.get(answer.number)?.(answer));
  const children: ChildProcess[] = [];
  let number = 0;

  async function call<T>(method: Call['method'], ...rest: unknown[]): Promise<T> {
    const mine = number++;
    const answered = new Promise<Answer>((resolve, reject) => {
      pending.set(mine, resolve);
      agent.once('exit', () => reject(new Error('the machine is gone')));
    });
    agent.setMaxListeners(100);
    agent.send({ number: mine, method, args: [networks, ...rest] } satisfies Call);
    const answer = await answered;
    pending.delete(mine);
    if ('error' in answer) throw Object.assign(new Error(answer.error.message), answer.error);
    return answer.result as T;
  }

  const pid = agent.pid ?? 0;
  await call('listNetworks');
  const machine: Machine = {
    folder,
    pid,
    run: (words) => inNamespaces(pid, ['--net'], words),
    start: (words) => startIn(pid, ['--net'], words, children),
    async container(name, names) {
      const container = await startContainer(folder, name, names, children);
      children.push(container.process);
      return container;
    },
    attach: ({ id, name, pid: target, paths, request }) =>
      call('attach', { id, name, pid: target, paths, request }),
    detach: ({ id }) => call('detach', id),
    createNetwork: (options) => call('createNetwork', options),
    listNetworks: () => call('listNetworks'),
    removeNetwork: (name) => call('removeNetwork', name),
    async close() {
      for (const child of [...children, agent]) await killed(child);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const up = machine.run(['ip', 'link', 'set', 'lo', 'up']);
  if (up.status !== 0) throw new Error(up.stderr);
  return machine;
}

let containers = 0;

async function startContainer(
  folder: string,
  name: string,
  networks: string[],
  children: ChildProcess[],
): Promise<FakeContainer & { process: ChildProcess }> {
  const number = ++containers;
  const own = join(folder, name);
  mkdirSync(own);
  const paths = { folder: own, hosts: join(own, 'hosts'), resolv: join(own, 'resolv.conf') };
  // It says a line once it is in its namespaces.
  const process = spawn('unshare', ['--mount', '--net', 'sh', '-c', 'echo; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(process.stdout, 'data');
  const pid = process.pid ?? 0;
  const all = ['--mount', '--net'];
  return {
    id: number.toString(16).padStart(12, '0').padEnd(64, '0'),
    name,
    pid,
    paths,
    request: { networks },
    process,
    hosts: () => readFileSync(paths.hosts, 'utf8'),
    run: (words, input) => inNamespaces(pid, all, words, input),
    start: (words) => startIn(pid, all, words, children),
    kill: () => killed(process),
  };
}

function startIn(pid: number, kinds: string[], words: string[], children: ChildProcess[]): ChildProcess {
  const child = spawn('nsenter', ['--target', `${pid}`, ...kinds, ...words], { stdio: 'ignore' });
  children.push(child);
  return child;
}

function inNamespaces(pid: number, kinds: string[], words: string[], input?: string): Ran {
  const command = ['--target', `${pid}`, ...kinds, ...words];
  const { status, stdout, stderr } = spawnSync('nsenter', command, {
    encoding: 'utf8',
    input,
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Whether an echo comes back: waited for generously where it must, `'soon'` where it must not. */
export function reaches(from: { run(command: string[]): Ran }, address: string, when?: 'soon'): boolean {
  const seconds = when === undefined ? '15' : '1';
  return from.run(['busybox', 'ping', '-c', '1', '-W', seconds, address]).status === 0;
}
