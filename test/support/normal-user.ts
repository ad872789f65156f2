// A normal user with subordinate ids who exists for one command only: in a mount namespace of its own, /etc/passwd and
// the subid files are ours. Nothing of the machine is changed.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasTools } from './tools.ts';

/** The user's id, also of its group, and its first subordinate id. */
export const USER = 4001;
export const FIRST_SUBID = 300_000;

const SCRIPT = `set -e
for file in passwd subuid subgid; do mount --bind "$0/etc/$file" "/etc/$file"; done
cd "$0"
exec setpriv --reuid ${USER} --regid ${USER} --clear-groups -- "$@"`;

/** Runs a command as the user, in `home`. */
export type AsUser = (command: string[], env?: Record<string, string>) => SpawnSyncReturns<string>;

/** `home` is where the user's files are; it becomes the user's by chown, what is there already included. */
export function normalUser(home: string, options: { subids: boolean }): AsUser {
  const [program = '', ...prefix] = userPrefix(home, options);
  return (command, env = {}) =>
    spawnSync(program, [...prefix, ...command], {
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: home, ...env },
    });
}

/** The same, as the words to put before a command. */
export function userPrefix(home: string, options: { subids: boolean }): string[] {
  mkdirSync(join(home, 'etc'), { recursive: true });
  const files = join(home, 'etc');
  const range = options.subids ? `tester:${FIRST_SUBID}:65536\n` : '';
  writeFileSync(
    join(files, 'passwd'),
    `root:x:0:0::/root:/bin/sh\ntester:x:${USER}:${USER}::${home}:/bin/sh\n`,
  );
  for (const name of ['subuid', 'subgid']) writeFileSync(join(files, name), range);
  spawnSync('chown', ['-R', `${USER}:${USER}`, home]);
  return ['unshare', '--mount', 'sh', '-c', SCRIPT, home];
}

/** True where this process may make such a user, and that user a namespace; else false, with one printed line. */
export function canBeNormalUser(home: string): boolean {
  if (process.geteuid?.() !== 0) {
    console.log('SKIPPED rootless: these tests must start as root to become another user');
    return false;
  }
  if (!hasTools('unshare', 'setpriv', 'newuidmap')) return false;
  const map = ['--user', `--map-users=${FIRST_SUBID},1,10`, '--map-root-user'];
  const { status, stderr } = normalUser(home, { subids: true })(['unshare', ...map, 'true']);
  if (status !== 0) console.log(`SKIPPED rootless: this machine allows no user namespace: ${stderr.trim()}`);
  return status === 0;
}
