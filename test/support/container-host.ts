// A machine for tests that run containers by the command line: a network namespace of its own with loopback only, a
// store with a busybox image, root or a normal user.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ListedContainer } from '../../src/client/containers.ts';
import { load } from '../../src/client/load.ts';
import type { ProcessIdentity } from '../../src/runner/container.ts';
import { isAlive } from '../../src/runner/processes.ts';
import { type BusyboxImage, hasBusybox, writeBusyboxImage } from './busybox-image.ts';
import type { CliResult } from './cli.ts';
import { canUseNetworks } from './netns.ts';
import { canBeNormalUser, USER, userPrefix } from './normal-user.ts';

const CLI = join(import.meta.dirname, '../../bin/ocitool.cjs');

export type Who = 'root' | 'user' | 'user without ids';

export interface RunningCommand {
  process: ChildProcess;
  stdout(): string;
  /** Waits until stdout has it. */
  said(text: string): Promise<void>;
  result: Promise<CliResult>;
}

export interface ContainerHost {
  folder: string;
  store: string;
  /** The words before a command that make it this machine's and this user's. */
  prefix: string[];
  env: Record<string, string | undefined>;
  /** Puts an image into the store. */
  addImage(name: string, image: BusyboxImage): Promise<void>;
  /** Starts `ocitool ARGS`. */
  start(args: string[], input?: string): RunningCommand;
  /** Runs `ocitool ARGS` to its end. */
  run(...args: string[]): Promise<CliResult>;
  ps(): Promise<ListedContainer[]>;
  /** Waits until nothing of `traces` is there that was not before; throws what stays. */
  leavesNothing(before: string[]): Promise<void>;
  /** What must not stay: processes of the runner, mounts, cgroups, interfaces, namespaces, the store's files. */
  traces(): string[];
  close(): Promise<void>;
}

/** False, with one printed line, where this machine cannot. */
export function canRunContainers(): boolean {
  if (process.geteuid?.() !== 0) {
    console.log('SKIPPED containers: these tests must start as root');
    return false;
  }
  return hasBusybox() && canUseNetworks();
}

export function canRunAs(who: Who): boolean {
  if (who === 'root') return true;
  const probe = mkdtempSync(join(tmpdir(), 'ocitool-probe-'));
  try {
    return canBeNormalUser(probe);
  } finally {
    rmSync(probe, { recursive: true });
  }
}

export async function openHost(who: Who = 'root'): Promise<ContainerHost> {
  const folder = mkdtempSync(join(tmpdir(), 'ocitool-host-'));
  chmodSync(folder, 0o755);
  // A comma and a colon: what overlayfs takes for its own.
  const store = join(folder, 'store,a:b');
  const network = spawn('unshare', ['--net', 'sh', '-c', 'ip link set lo up; echo; exec sleep infinity'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(network.stdout, 'data');
  const env = { PATH: process.env.PATH, HOME: folder, OCITOOL_STORE: store, TMPDIR: process.env.TMPDIR };
  const prefix = ['nsenter', `--net=/proc/${network.pid}/ns/net`];

  async function addImage(name: string, image: BusyboxImage): Promise<void> {
    const layout = mkdtempSync(join(folder, 'layout-'));
    const client = createClient({ store });
    await load(client, writeBusyboxImage(layout, image), name);
    await client.close();
    rmSync(layout, { recursive: true });
    if (who !== 'root') spawnSync('chown', ['-R', `${USER}:${USER}`, store]);
  }

  function start(args: string[], input?: string): RunningCommand {
    const [program = '', ...words] = [...prefix, process.execPath, CLI, ...args];
    const child = spawn(program, words, {
      env,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const result = new Promise<CliResult>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    });
    return {
      process: child,
      stdout: () => stdout,
      result,
      async said(text) {
        while (!stdout.includes(text)) {
          if (child.exitCode !== null) throw new Error(`ended without ${text}: ${stdout}${stderr}`);
          await Promise.race([once(child.stdout as NodeJS.ReadableStream, 'data'), once(child, 'close')]);
        }
      },
    };
  }

  const host: ContainerHost = {
    folder,
    store,
    prefix,
    env,
    addImage,
    start,
    run: (...args) => start(args).result,
    async ps() {
      const { code, stdout, stderr } = await host.run('ps', '-a', '--json');
      if (code !== 0) throw new Error(`${stdout}${stderr}`);
      return JSON.parse(stdout) as ListedContainer[];
    },
    async leavesNothing(before) {
      // Containers of tests that run beside this one come and go.
      await expect
        .poll(() => host.traces().filter((trace) => !before.includes(trace)), { timeout: 60_000 })
        .toEqual([]);
    },
    traces: () => traces(store, network.pid ?? 0),
    async close() {
      try {
        for (const { id } of await host.ps()) await host.run('rm', '-f', id);
      } finally {
        end();
      }
    },
  };
  function end(): void {
    const holder = join(store, 'ocitool/v1/holder.json');
    // It may have ended by itself, and its pid may be another's.
    if (existsSync(holder)) {
      const known = JSON.parse(readFileSync(holder, 'utf8')) as ProcessIdentity;
      if (isAlive(known)) process.kill(known.pid, 'SIGKILL');
    }
    network.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
  await addImage('busybox:1', {});
  if (who !== 'root') prefix.push(...userPrefix(folder, { subids: who === 'user' }));
  return host;
}

function traces(store: string, network: number): string[] {
  const own = join(store, 'ocitool/v1');
  const lines = (path: string): string[] => readFileSync(path, 'utf8').split('\n');
  const found = lines('/proc/mounts').filter((line) => line.includes(store));
  for (const folder of [
    '/sys/fs/cgroup',
    ...readdirSync('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`),
  ]) {
    try {
      found.push(
        ...readdirSync(folder)
          .filter((name) => name.startsWith('ocitool'))
          .map((name) => join(folder, name)),
      );
    } catch {
      // A file.
    }
  }
  const links = spawnSync('nsenter', [`--net=/proc/${network}/ns/net`, 'ip', '-o', 'link'], {
    encoding: 'utf8',
  });
  found.push(...links.stdout.split('\n').map((line) => line.split(' ')[1] ?? ''));
  for (const name of ['containers', 'containers/names']) {
    if (existsSync(join(own, name)))
      found.push(...readdirSync(join(own, name)).map((file) => `${name}/${file}`));
  }
  // Whoever has this store in its environment is ours: monitors, runtimes, what they started.
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const ours = readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`OCITOOL_STORE=${store}`);
      // A normal user's holder waits so, again and again.
      if (ours && command !== 'sleep 2 ') found.push(`${pid} ${command}`);
    } catch {
      // It has ended.
    }
  }
  return found.sort();
}
