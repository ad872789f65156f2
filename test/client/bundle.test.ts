// `unpack --bundle`: what it writes is run by the OCI runtimes on this machine, as root and as a normal user.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundleSpec } from '../../src/runner/spec/bundle.ts';
import type { RuntimeSpec } from '../../src/runner/spec/runtime-spec.ts';
import { ONE_USER, ROOTFUL, ROOTLESS } from '../runner/spec/requests.ts';
import { hasBusybox, writeBusyboxImage } from '../support/busybox-image.ts';
import { cli, runCli } from '../support/cli.ts';
import { canBeNormalUser, normalUser, USER } from '../support/normal-user.ts';
import { hasTools } from '../support/tools.ts';

const usable = hasBusybox() && process.geteuid?.() === 0;
let folder: string;
let image: string;
beforeAll(() => {
  if (!usable) return;
  folder = mkdtempSync(join(tmpdir(), 'ocitool-bundle-'));
  spawnSync('chmod', ['755', folder]);
  image = writeBusyboxImage(join(folder, 'image'), {
    config: {
      Entrypoint: ['sh', '-c'],
      Cmd: ['id; pwd; echo $GREETING; echo $HOME; cat /proc/self/status; touch /data/x && ls /data'],
      Env: ['GREETING=hello', 'PATH=/bin'],
      User: 'app',
      WorkingDir: '/home/app/made',
      Volumes: { '/data': {} },
      Labels: { color: 'red' },
      ExposedPorts: { '80/tcp': {} },
      StopSignal: 'SIGINT',
    },
    layers: [[{ name: 'data/', type: '5', mode: 0o777 }]],
  });
});
afterAll(() => {
  if (folder !== undefined) spawnSync('rm', ['-rf', folder]);
});

/** In a mount namespace without the unified hierarchy, which crun 1.8 takes for all there is on a hybrid machine. */
const HIDE = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$0" "$@"';

/** The same as the user of `normalUser`, whose files are in $0. */
const AS_USER = `umount /sys/fs/cgroup/unified 2>/dev/null
for file in passwd subuid subgid; do mount --bind "$0/etc/$file" "/etc/$file"; done
cd "$0"; exec setpriv --reuid ${USER} --regid ${USER} --clear-groups -- "$@"`;

function runBundle(runtime: string, bundle: string): SpawnSyncReturns<string> {
  const state = mkdtempSync(join(tmpdir(), 'ocitool-state-'));
  try {
    const args = ['--root', state, 'run', '--bundle', bundle, `ocitool-bundle-${process.pid}`];
    return spawnSync('unshare', ['--mount', 'sh', '-c', HIDE, runtime, ...args], {
      encoding: 'utf8',
      timeout: 60_000,
    });
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
}

describe.skipIf(!usable)('a bundle', () => {
  it('holds the root file system and the spec, and nothing else', async () => {
    const bundle = join(folder, 'plain');
    const answer = JSON.parse(await cli(['unpack', '--json', '--bundle', image, bundle]));
    expect(answer.destination).toBe(bundle);
    expect(readdirSync(bundle).sort()).toEqual(['config.json', 'rootfs']);
    const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as RuntimeSpec;
    expect(spec.root).toEqual({ path: 'rootfs', readonly: false });
    expect(spec.process.user).toMatchObject({ uid: 1000, gid: 1000, additionalGids: [1000, 10] });
    expect(spec.annotations).toEqual({
      'org.opencontainers.image.os': 'linux',
      'org.opencontainers.image.architecture': expect.any(String),
      'org.opencontainers.image.exposedPorts': '80/tcp',
      'org.opencontainers.image.stopSignal': 'SIGINT',
      color: 'red',
    });
  });

  it('takes the place of another with --force only, and of nothing when it fails', async () => {
    const bundle = join(folder, 'taken');
    mkdirSync(join(bundle, 'old'), { recursive: true });
    const refused = await runCli(['unpack', '--bundle', image, bundle]);
    expect([refused.code, readdirSync(bundle)]).toEqual([1, ['old']]);
    await cli(['unpack', '--bundle', '--force', image, bundle]);
    expect(readdirSync(bundle).sort()).toEqual(['config.json', 'rootfs']);
    const stranger = writeBusyboxImage(join(folder, 'stranger'), { config: { User: 'ap' } });
    const failed = await runCli(['unpack', '--bundle', stranger, join(folder, 'none')]);
    expect(failed).toMatchObject({ code: 3, stderr: expect.stringContaining('user ap: not in the image') });
    expect(failed.stderr).toContain('did you mean app?');
    expect(readdirSync(folder).filter((name) => name.includes('none'))).toEqual([]);
  });

  it('is run by crun and runc: user, working directory, environment, protection', async () => {
    const bundle = join(folder, 'run');
    await cli(['unpack', '--bundle', image, bundle]);
    for (const runtime of ['crun', 'runc'].filter((name) => hasTools(name, 'unshare'))) {
      const { stdout, stderr, status } = runBundle(runtime, bundle);
      expect({ runtime, status, stderr }).toEqual({ runtime, status: 0, stderr: '' });
      const lines = stdout.split('\n');
      expect(lines.slice(0, 4)).toEqual([
        'uid=1000(app) gid=1000(app) groups=10(wheel),1000(app)',
        '/home/app/made',
        'hello',
        '/home/app',
      ]);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}:`))?.split('\t')[1];
      expect(['CapEff', 'CapPrm', 'CapInh', 'CapAmb'].map(field)).toEqual(Array(4).fill('0000000000000000'));
      expect([field('NoNewPrivs'), field('Seccomp')]).toEqual(['1', '2']);
      expect(lines.at(-2)).toBe('x');
    }
  });

  it('of a normal user runs as one: root inside is that user outside', async () => {
    if (!canBeNormalUser(join(folder, 'probe')) || !hasTools('crun')) return;
    const home = join(folder, 'home');
    mkdirSync(home);
    const own = writeBusyboxImage(join(home, 'image'), {
      config: { Cmd: ['sh', '-c', 'id -u; cat /proc/self/uid_map'] },
    });
    const asUser = normalUser(home, { subids: true });
    const ocitool = [process.execPath, join(import.meta.dirname, '../../bin/ocitool.cjs')];
    const unpacked = asUser([...ocitool, 'unpack', '--bundle', own, join(home, 'bundle')]);
    expect(unpacked.status, unpacked.stderr).toBe(0);
    const spec = JSON.parse(readFileSync(join(home, 'bundle/config.json'), 'utf8')) as RuntimeSpec;
    expect(spec.linux.namespaces).toContainEqual({ type: 'user' });
    const state = join(home, 'state');
    const crun = [
      'crun',
      '--cgroup-manager=disabled',
      '--root',
      state,
      'run',
      '--bundle',
      join(home, 'bundle'),
      'mine',
    ];
    const { stdout, stderr, status } = spawnSync('unshare', ['--mount', 'sh', '-c', AS_USER, home, ...crun], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [uid, map = ''] = stdout.trim().split('\n');
    expect([uid, map.trim().split(/\s+/)]).toEqual(['0', ['0', String(USER), '1']]);
  });
});

describe('the spec of a bundle', () => {
  const user = { uid: 1000, gid: 1000, additionalGids: [10], home: '/' };
  const config = (architecture: string, own: object = {}) =>
    ({
      os: 'linux',
      architecture,
      config: own,
      rootfs: { type: 'layers', diff_ids: [] },
      history: [],
    }) as const;

  it('maps the one id of a user without subordinate ids to the image’s USER', () => {
    const spec = bundleSpec(config('amd64') as never, user, {
      host: ONE_USER,
      single: { uid: 4001, gid: 4002 },
    });
    expect(spec.linux.uidMappings).toEqual([{ containerID: 1000, hostID: 4001, size: 1 }]);
    expect(spec.linux.gidMappings).toEqual([{ containerID: 1000, hostID: 4002, size: 1 }]);
    expect(spec.process.user).toMatchObject({ uid: 1000, gid: 1000, additionalGids: [] });
    expect(spec.linux.resources).toBeUndefined();
  });

  it('keeps the maps of a namespace of subordinate ids', () => {
    const spec = bundleSpec(config('amd64') as never, user, { host: ROOTLESS });
    expect(spec.linux.uidMappings).toEqual(ROOTLESS.ids.uids);
  });

  it('filters for the image’s architecture, not this machine’s, and not at all where no list is known', () => {
    const architectures = (name: string) =>
      bundleSpec(config(name) as never, user, { host: ROOTFUL }).linux.seccomp?.architectures;
    expect(architectures('amd64')).toEqual(['SCMP_ARCH_X86_64']);
    expect(architectures('arm64')).toEqual(['SCMP_ARCH_AARCH64']);
    expect(architectures('arm')).toBeUndefined();
  });

  it('runs a shell where the image names no command', () => {
    expect(bundleSpec(config('amd64') as never, user, { host: ROOTFUL }).process.args).toEqual(['sh']);
  });
});
