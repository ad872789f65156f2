// Images that attack the runner itself: wherever it mounts, writes or reads in them, a link leads to the host. Whether
// such a container runs is its own affair; the host is the same before and after.
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BusyboxImage, busyboxEntries } from '../support/busybox-image.ts';
import {
  type ContainerHost,
  canRunAs,
  canRunContainers,
  openHost,
  type Who,
} from '../support/container-host.ts';
import { snapshot } from '../support/disk-snapshot.ts';
import { directory, file, type Member, symlink } from '../support/tar-builder.ts';
import { hasTools } from '../support/tools.ts';

/** Few files: each image is unpacked. */
const APPLETS = ['sh', 'id', 'touch', 'cat', 'grep', 'true', 'echo'];
const BASE = canRunContainers()
  ? busyboxEntries().filter(
      ({ name, type }) => type !== '2' || APPLETS.includes(String(name).slice('bin/'.length)),
    )
  : [];

/** The base without these names and what lies below them. */
function without(...names: string[]): Member[] {
  return BASE.filter(
    ({ name }) => !names.some((gone) => String(name) === `${gone}/` || String(name).startsWith(`${gone}/`)),
  );
}

/** Attacks by name: `to` is a folder of the host that holds `file` and the folder `sub`. */
const ATTACKS: Record<string, (to: string) => BusyboxImage & { flags?: string[] }> = {
  'the kernel’s mount points are links to the host': (to) => ({
    base: [
      ...without('proc', 'sys', 'dev'),
      ...['proc', 'sys', 'dev'].map((name) => symlink(name, `${to}/sub`)),
    ],
  }),
  'the same, climbing': (to) => ({
    base: [
      ...without('proc', 'sys', 'dev'),
      ...['proc', 'sys', 'dev'].map((name) => symlink(name, `${'../'.repeat(12)}${to.slice(1)}/sub`)),
    ],
  }),
  'the runner’s files in /etc are links to files of the host': (to) => ({
    layers: [['hosts', 'resolv.conf', 'hostname'].map((name) => symlink(`etc/${name}`, `${to}/file`))],
  }),
  '/etc itself is a link to the host': (to) => ({ base: [...without('etc'), symlink('etc', `${to}/sub`)] }),
  'the account files are links, and ask for the host’s users': (to) => ({
    layers: [[symlink('etc/passwd', `${to}/passwd`), symlink('etc/group', `${to}/passwd`)]],
    config: { User: 'intruder', Cmd: ['id'] },
  }),
  'the account files are a device and a pipe': () => ({
    layers: [
      [
        { name: 'etc/passwd', type: '3', major: 1, minor: 5, mode: 0o666 },
        { name: 'etc/group', type: '6', mode: 0o666 },
      ],
    ],
    config: { User: 'app', Cmd: ['id'] },
  }),
  'the working directory leads to the host': (to) => ({
    layers: [[symlink('work', `${to}/sub`)]],
    config: { WorkingDir: '/work/made', Cmd: ['touch', '/work/made/x', 'x'] },
  }),
  'a volume of the image leads to the host': (to) => ({
    layers: [[symlink('data', `${to}/sub`)]],
    config: { Volumes: { '/data': {}, '/data/below': {} }, Cmd: ['touch', '/data/x'] },
  }),
  'mounts asked for lead to the host': (to) => ({
    layers: [[symlink('in', to), directory('run/'), symlink('run/lock', `${to}/sub`)]],
    flags: ['--tmpfs', '/in/sub', '--tmpfs', '/run/lock', '-v', 'named:/in/volume'],
    config: { Cmd: ['touch', '/in/sub/x', '/run/lock/x', '/in/volume/x'] },
  }),
  'the command and its interpreter are on the host': (to) => ({
    layers: [[symlink('bin/tool', `${to}/tool`), file('bin/script', `#!${to}/tool\n`, { mode: 0o755 })]],
    config: { Cmd: ['tool'] },
  }),
  'the environment takes over whoever starts with it': (to) => ({
    layers: [
      [
        file('evil.js', `require('fs').writeFileSync('${to}/node', '')`),
        file('evil.so', 'x', { mode: 0o755 }),
      ],
    ],
    config: {
      Env: [
        'NODE_OPTIONS=--require=/evil.js',
        'LD_PRELOAD=/evil.so',
        'LD_LIBRARY_PATH=/',
        `PATH=${to}:/bin`,
        'OCITOOL_STORE=/evil',
        '_LIBCONTAINER_INITPIPE=3',
        'BASH_ENV=/evil.js',
      ],
      Cmd: ['true'],
    },
  }),
  'the program is /proc/self/exe (CVE-2019-5736)': () => ({
    config: { Cmd: ['/proc/self/exe', '-e', 'process.exit(0)'] },
  }),
  'the working directory is a descriptor of the runner (CVE-2024-21626)': (to) => ({
    config: {
      WorkingDir: '/proc/self/fd/7',
      Cmd: ['sh', '-c', `cat ../../../../../../../../..${to}/file > /tmp/got; ! grep . /tmp/got`],
    },
  }),
  'programs of the runner are the image’s own': (to) => ({
    layers: [
      ['node', 'unshare', 'nsenter', 'ip', 'nft', 'mount', 'crun', 'newuidmap'].map((name) =>
        file(`usr/bin/${name}`, `#!/bin/sh\necho x > ${to}/ran-${name}\n`, { mode: 0o755 }),
      ),
    ],
    config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['true'] },
  }),
};

/** Of the host: the files that attacks aim at, its devices, its account files, its mounts. */
function hostState(canary: string, store: string): unknown {
  const hash = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
  const devices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => {
    const { mode, rdev, uid, gid } = lstatSync(`/dev/${name}`);
    return [name, mode, rdev, uid, gid];
  });
  return {
    canary: [...snapshot(canary)],
    devices,
    dev: readdirSync('/dev').filter((name) => !/^(loop|pts)/.test(name)),
    etc: ['hosts', 'passwd', 'group', 'resolv.conf', 'hostname'].map((name) => [
      hash(`/etc/${name}`),
      statSync(`/etc/${name}`).mode,
    ]),
    mounts: readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter((line) => line.includes(store)),
  };
}

/** In a user namespace the same code runs: what is left to tell apart is who would be allowed to write. */
const WITHOUT_ROOT = Object.keys(ATTACKS).filter((_, index) => index % 3 === 0);

const RUNNERS: [who: Who, runtimes: string[], attacks: string[]][] = [
  ['root', ['builtin', ...(hasTools('crun') ? ['crun'] : [])], Object.keys(ATTACKS)],
  ['user', ['builtin'], WITHOUT_ROOT],
];

describe.each(RUNNERS)('containers of %s', (who, runtimes, attacks) => {
  const can = canRunContainers() && canRunAs(who);
  let host: ContainerHost;
  let canary: string;
  beforeAll(async () => {
    if (!can) return;
    host = await openHost(who);
    canary = join(host.folder, 'canary');
    mkdirSync(join(canary, 'sub'), { recursive: true });
    writeFileSync(join(canary, 'file'), 'of the host');
    writeFileSync(join(canary, 'passwd'), 'intruder:x:0:0::/:/bin/sh\n');
    writeFileSync(join(canary, 'tool'), `#!/bin/sh\necho x > ${canary}/ran-tool\n`, { mode: 0o755 });
  });
  afterAll(() => host?.close());

  it.runIf(can).each(attacks)('%s', async (name) => {
    const { flags = [], ...image } = (ATTACKS[name] as (typeof ATTACKS)[string])(canary);
    await host.addImage('hostile:1', { base: BASE, ...image });
    const before = hostState(canary, host.store);
    for (const runtime of runtimes) {
      const words = ['run', '--rm', '-q', '--network', 'none', '--runtime', runtime, ...flags, 'hostile:1'];
      const { code, stdout } = await host.run(...words);
      expect({ runtime, state: hostState(canary, host.store) }).toEqual({ runtime, state: before });
      expect(stdout).not.toContain('of the host');
      // Refused or run inside; not killed, not stuck.
      expect(code).toBeLessThan(129);
    }
  });

  it.runIf(can)('leave nothing, whatever they attacked with', async () => {
    expect(await host.ps()).toEqual([]);
  });
});
