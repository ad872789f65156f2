// The built-in driver as a normal user's: root of a user namespace, with subordinate ids and with one id only.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GenerateInput } from '../../../src/runner/spec/generate.ts';
import { hasTools } from '../../support/tools.ts';
import { ONE_USER, ROOTLESS } from '../spec/requests.ts';
import { canLaunch, type Launcher, startLauncher, stdoutOf } from './launcher.ts';

const USER = 4001;
const AS_USER = ['setpriv', '--reuid', `${USER}`, '--regid', `${USER}`, '--clear-groups', 'unshare'];
const NAMESPACES = [
  '--user',
  '--map-root-user',
  '--mount',
  '--net',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
];

/** A user with subordinate ids for one command: only in its mount namespace are the files of /etc ours. */
const WITH_SUBIDS = `set -e
folder=$(mktemp -d)
echo tester:x:${USER}:${USER}::/:/bin/sh >"$folder/passwd"
echo tester:300000:65536 | tee "$folder/subuid" >"$folder/subgid"
for name in passwd subuid subgid; do mount --bind "$folder/$name" "/etc/$name"; done
rm -r "$folder"
exec "$@"`;

const RANGE = ['unshare', '--mount', 'sh', '-c', WITH_SUBIDS, 'sh', ...AS_USER, '--map-auto', ...NAMESPACES];
const ONE_ID = [...AS_USER, ...NAMESPACES];

const CASES: [name: string, wrapper: string[], host: GenerateInput['host']][] = [
  ['a range of ids', RANGE, ROOTLESS],
  ['one id', ONE_ID, ONE_USER],
];

/** False, with one printed line, where a user other than root cannot start Node in such namespaces. */
function canBe(wrapper: string[]): boolean {
  if (!canLaunch() || !hasTools('setpriv', 'newuidmap')) return false;
  const [program, ...args] = [...wrapper, process.execPath, '-e', '0'];
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) console.log(`SKIPPED the built-in driver without root: ${stderr.trim()}`);
  return status === 0;
}

describe.each(CASES)('a container of a normal user with %s', (_, wrapper, host) => {
  describe.runIf(canBe(wrapper))('of the built-in driver', () => {
    let launcher: Launcher;
    beforeAll(async () => {
      launcher = await startLauncher({
        wrapper,
        rootless: true,
        host: ownFacts(host),
        owner: USER,
      });
    });
    afterAll(() => launcher.close());

    it('runs, with the rights of the spec and those of the user’s namespace only', async () => {
      const status = stdoutOf(await launcher.run(['cat', '/proc/self/status']));
      expect(status).toContain('CapBnd:\t00000000800405fb');
      expect(status).toContain('NoNewPrivs:\t1');
      expect(status).toContain('Seccomp:\t2');
      expect(await launcher.run(['sh', '-c', 'exit 9'])).toMatchObject({ exit: { code: 9 } });
    });

    it('has devices that work, its own /proc and /sys, and no device of its own making', async () => {
      const script = `echo x > /dev/null && cat /dev/zero | true && [ -c /dev/tty ] && ls /sys/class/net
        ls /proc | busybox grep -c '^[0-9]'; busybox mknod /device c 1 3 || echo refused`;
      const outcome = await launcher.run(['sh', '-c', script]);
      expect(outcome).toMatchObject({ stdout: expect.stringMatching(/^lo\n[2-4]\nrefused\n$/) });
    });

    it('has a terminal', async () => {
      const outcome = await launcher.run(['tty'], { request: { terminal: true } });
      expect(stdoutOf(outcome)).toBe('/dev/pts/0\r\n');
    });

    it('leaves nothing in /dev of the image', () => {
      expect(readdirSync(join(launcher.rootfs, 'dev'))).toEqual([]);
    });

    it.runIf(wrapper === RANGE)('can be another user, with groups', async () => {
      const outcome = await launcher.run(['id'], {
        user: { uid: 1000, gid: 1000, additionalGids: [1000, 2000] },
      });
      expect(stdoutOf(outcome).trim()).toBe('uid=1000 gid=1000 groups=1000,2000');
    });

    it.runIf(wrapper === ONE_ID)('leaves groups alone, which may not be set', async () => {
      const outcome = await launcher.run(['id', '-u']);
      expect(stdoutOf(outcome).trim()).toBe('0');
    });
  });
});

/** The machine's part of the facts is the real one. */
function ownFacts(host: GenerateInput['host']): GenerateInput['host'] {
  return { ...host, architecture: process.arch };
}
