// A Docker daemon (Debian's docker.io) of a test's own: its images in a folder, its network a loopback and nothing else,
// and neither mounts nor files of the machine's own docker touched.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { logged } from './log-line.ts';
import { hasTools } from './tools.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');
/** Milliseconds. It takes less than one second where nothing else runs. */
const START = 45_000;
/** Milliseconds, far beyond what a daemon takes to put its containerd away; after that it is killed. */
const GRACE = 20_000;

export interface DockerDaemon {
  /** Runs `docker ARGS`, which must succeed, beside the daemon and gives its stdout. */
  docker(...args: string[]): Promise<string>;
  /** Starts `ocitool serve` of this store where the daemon can reach it; gives its address, `127.0.0.1:40123`. */
  serve(store: string): Promise<string>;
  /** Ends the servers and the daemon, and removes its folder. */
  close(): Promise<void>;
}

/** True where this process may run one and has the tools; else false, with one printed line. */
export function canRunDocker(): boolean {
  if (!hasTools('dockerd', 'docker', 'containerd', 'unshare', 'nsenter', 'ip')) return false;
  const probe = 'ip link set lo up && mount -t tmpfs none /etc';
  const { status, stderr } = spawnSync('unshare', ['--net', '--mount', 'sh', '-c', probe], {
    encoding: 'utf8',
  });
  if (status !== 0)
    console.log(`SKIPPED the Docker daemon: this machine allows none: ${stderr.trim().split('\n')[0]}`);
  return status === 0;
}

/** Starts one; resolves when it answers. Undefined, with one printed line, where it gives up or comes to nothing. */
export async function startDockerDaemon(): Promise<DockerDaemon | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'ocitool-dockerd-'));
  const socket = join(folder, 'socket');
  const home = join(folder, 'home');
  mkdirSync(home);
  // Its settings and its key are looked for in /etc/docker, whatever the options say.
  const script =
    'ip link set lo up; mkdir -p /etc/docker; mount -t tmpfs none /etc/docker; exec dockerd "$@"';
  const options = {
    host: `unix://${socket}`,
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    iptables: 'false',
    ip6tables: 'false',
    bridge: 'none',
    // The one that works on every file system.
    'storage-driver': 'vfs',
  };
  const flags = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const log = join(folder, 'log');
  const logFile = openSync(log, 'w');
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const daemon = spawn('unshare', ['--net', '--mount', 'sh', '-c', script, 'dockerd', ...flags], {
    stdio: ['ignore', logFile, logFile],
    env,
  });
  closeSync(logFile);
  const servers: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    for (const child of [...servers, daemon]) await ended(child);
    rmSync(folder, { recursive: true, force: true });
  };
  const timer = setTimeout(() => daemon.kill('SIGKILL'), START);
  try {
    await logged(daemon, log, /API listen on/);
  } catch (error) {
    await close();
    const [reason] = String(error).trim().split('\n').slice(-1);
    console.log(`SKIPPED the Docker daemon: it does not run here: ${reason}`);
    return undefined;
  } finally {
    clearTimeout(timer);
  }
  const inItsNetwork = ['--target', `${daemon.pid}`, '--net'];
  return {
    async docker(...args) {
      const env = { PATH: process.env.PATH, HOME: home, DOCKER_HOST: `unix://${socket}` };
      const { stdout } = await run('nsenter', [...inItsNetwork, 'docker', ...args], { env });
      return stdout.trim();
    },
    async serve(store) {
      const command = [process.execPath, join(ROOT, 'bin/ocitool.cjs'), 'serve', '--store', store];
      const server = spawn('nsenter', [...inItsNetwork, ...command, '--port', '0'], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { PATH: process.env.PATH, HOME: home },
      });
      servers.push(server);
      for await (const line of createInterface(server.stderr)) {
        const address = /^listening on http:\/\/(.+)$/.exec(line)?.[1];
        if (address !== undefined) return address;
      }
      throw new Error('ocitool serve does not start');
    },
    close,
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE);
  child.kill();
  await exited;
  clearTimeout(timer);
}
