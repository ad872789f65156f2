// A normal user's containers live in namespaces that one process of that user holds: a user namespace in which the user
// is root, with a mount, a network and a pid namespace below it. Whatever kills the holder ends all of them.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { acquireLock } from '../blobstore/lock.ts';
import { replaceFile } from '../blobstore/write-file.ts';
import { fileError, OciError } from '../errors.ts';
import type { ProcessIdentity } from './container.ts';
import { identify, isAlive } from './processes.ts';

/**
 * Pid 1 of the namespaces: a shell, which reaps what loses its parent and is small. It tells its pid as the world
 * outside knows it, and ends when it has been alone for some seconds; SIGUSR1 says that somebody is coming.
 */
const SCRIPT = `
read -r pid rest </proc/self/stat
mount -t proc proc /proc || exit 1
ip link set lo up
idle=0
trap 'idle=0' USR1
echo "$pid"
exec >/dev/null 2>&1
while [ $idle -lt 3 ]; do
  sleep 2
  idle=$((idle + 1))
  for process in /proc/[0-9]*; do [ "$process" = /proc/1 ] || idle=0; done
done
`;

/** The holder that `file` tells of, if it lives; it stays for some seconds from now on. */
export function findHolder(file: string): ProcessIdentity | undefined {
  let known: ProcessIdentity;
  try {
    known = JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
  if (!isAlive(known)) return undefined;
  try {
    process.kill(known.pid, 'SIGUSR1');
    return known;
  } catch {
    return undefined;
  }
}

/**
 * The user's holder, started when there is none. `maps`: flags of unshare(1) for the ids, besides that the user is root.
 * Throws UNSUPPORTED where this machine allows no user namespace.
 */
export async function ensureHolder(file: string, maps: readonly string[]): Promise<ProcessIdentity> {
  const there = findHolder(file);
  if (there !== undefined) return there;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, file);
  }
  const lock = await acquireLock(`${file}.lock`);
  try {
    const found = findHolder(file);
    if (found !== undefined) return found;
    const started = await startHolder(maps);
    replaceFile(file, JSON.stringify(started));
    return started;
  } finally {
    lock.release();
  }
}

async function startHolder(maps: readonly string[]): Promise<ProcessIdentity> {
  const flags = ['--user', ...maps, '--map-root-user', '--net', '--mount', '--propagation', 'slave'];
  const child = spawn('unshare', [...flags, '--pid', '--kill-child', '--', 'sh', '-c', SCRIPT], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const pid = await new Promise<number | undefined>((resolve) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(Number(text)));
    child.once('error', () => resolve(undefined));
    child.once('close', () => resolve(undefined));
  });
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
  const started = pid === undefined ? undefined : identify(pid);
  if (started !== undefined) return started;
  const why = said.trim().split('\n').at(-1) || 'unshare (util-linux 2.38) is not installed';
  throw new OciError('UNSUPPORTED', `containers of a normal user need a user namespace: ${why}`, {
    hint: namespaceHint(),
  });
}

/** What keeps users from namespaces on this machine, as far as it can be told. */
function namespaceHint(): string {
  const switches = [
    ['user/max_user_namespaces', '0', 'user.max_user_namespaces=15000'],
    ['kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    ['kernel/apparmor_restrict_unprivileged_userns', '1', 'kernel.apparmor_restrict_unprivileged_userns=0'],
  ] as const;
  for (const [name, closed, open] of switches) {
    try {
      if (readFileSync(`/proc/sys/${name}`, 'utf8').trim() === closed) return `as root: sysctl -w ${open}`;
    } catch {
      // This kernel has no such switch.
    }
  }
  return 'as root: sysctl -w user.max_user_namespaces=15000, or run it as root';
}
