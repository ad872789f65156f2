// A normal user's way to right owners, as podman has it: this command line runs again as root of a user namespace in
// which the user's subordinate ids are the other owners. Without such ids, owners are recorded instead.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { OciError } from '../errors.ts';
import type { RootlessMode } from './flags.ts';

/** Set for the command in the namespace: the flags of `unshare` that lead there, for whoever has to go there again. */
const MARK = 'OCITOOL_USERNS';

/**
 * How to treat owners, `mode` being what was asked for. As a normal user who can have a user namespace this does not
 * return: the process becomes the same command inside it. Throws USAGE, and UNSUPPORTED when `userns` cannot be had.
 */
export function takeOwnership(mode: RootlessMode = 'auto'): 'apply' | 'record' {
  if (process.geteuid?.() === 0) {
    if ((mode === 'userns' && process.env[MARK] === undefined) || mode === 'record') {
      throw new OciError('USAGE', `--rootless ${mode} is for users who are not root`);
    }
    return 'apply';
  }
  if (mode === 'off') return 'apply';
  if (mode === 'record') return 'record';
  const why = enterUserNamespace();
  if (mode === 'auto') return 'record';
  throw new OciError('UNSUPPORTED', `no user namespace with your subordinate ids: ${why}`, {
    hint: 'podman needs the same: see subuid(5), or record owners with --rootless record',
  });
}

/** What to know about a tree whose owners are subordinate ids: how to be rid of it. Undefined for any other. */
export function ownershipNote(directory: string): string | undefined {
  const flags = process.env[MARK];
  if (flags === undefined) return undefined;
  const quoted = `'${directory.replaceAll("'", "'\\''")}'`;
  return `owners are subordinate ids of yours; remove the tree with: unshare ${flags} rm -rf ${quoted}`;
}

/** Goes there and does not come back, or tells why not. */
function enterUserNamespace(): string {
  const map = idMaps();
  if (typeof map === 'string') return map;
  const flags = ['--user', ...map, '--map-root-user'];
  const trial = spawnSync('unshare', [...flags, '--', 'true'], { encoding: 'utf8' });
  if (trial.error !== undefined) return 'unshare (util-linux 2.38) is not installed';
  if (trial.status !== 0) return trial.stderr.trim().split('\n').at(-1) || 'unshare failed';
  const command = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  // The same process: signals, exit code and terminal need nobody in between.
  process.execve?.('/usr/bin/env', ['env', 'unshare', ...flags, '--', ...command], {
    ...process.env,
    [MARK]: flags.join(' '),
  });
  return 'this Node cannot replace its process';
}

/**
 * 0 stands for the user, 1 and up for the first range of subordinate ids: podman's map. `unshare --map-auto` would put
 * 1 elsewhere in some versions. A string tells why there is no map.
 */
export function idMaps(): string[] | string {
  let user: { username: string; uid: number };
  try {
    user = userInfo();
  } catch {
    return 'this user has no name';
  }
  const maps = [];
  for (const kind of ['uid', 'gid']) {
    const range = firstRange(`/etc/sub${kind}`, user);
    if (range === undefined) return `/etc/sub${kind} has no range for ${user.username}`;
    maps.push(`--map-${kind === 'uid' ? 'users' : 'groups'}=${range.first},1,${range.count}`);
  }
  return maps;
}

function firstRange(
  file: string,
  { username, uid }: { username: string; uid: number },
): { first: number; count: number } | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [owner, first, count] = line.split(':');
    if ((owner === username || owner === String(uid)) && Number(count) > 0)
      return { first: Number(first), count: Number(count) };
  }
  return undefined;
}
