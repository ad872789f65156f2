// What is mounted into a container, and in which order.
import { describe, expect, it } from 'vitest';
import { mountsOf } from '../../../src/runner/spec/mounts.ts';
import type { MountRequest } from '../../../src/runner/spec/run-request.ts';
import { volumesNeeded } from '../../../src/runner/spec/volumes.ts';
import { ONE_USER, ROOTFUL, requestOf } from './requests.ts';

const facts = {
  host: ROOTFUL,
  cgroup: false,
  foreignNetwork: false,
  files: {},
  volumes: new Map<string, string>(),
};
const mountsFor = (mounts: MountRequest[], changes: Partial<Parameters<typeof mountsOf>[2]> = {}) =>
  mountsOf({}, requestOf({ mounts }), { ...facts, ...changes });
const bind = (source: string, target: string): MountRequest => ({
  kind: 'bind',
  source,
  target,
  readonly: false,
});

describe('the default mounts', () => {
  it('are the kernel’s file systems, none of which runs programs or makes devices but /dev', () => {
    const mounts = mountsFor([], { cgroup: true });
    expect(mounts.map(({ destination, type }) => `${destination} ${type}`)).toEqual([
      '/proc proc',
      '/dev tmpfs',
      '/dev/pts devpts',
      '/dev/shm tmpfs',
      '/dev/mqueue mqueue',
      '/sys sysfs',
      '/sys/fs/cgroup cgroup',
    ]);
    for (const { destination, options } of mounts) {
      expect(options).toContain('nosuid');
      if (destination !== '/dev') expect(options).toContain('noexec');
      if (!destination.startsWith('/dev')) expect(options).toContain('nodev');
    }
    for (const destination of ['/sys', '/sys/fs/cgroup']) {
      expect(mounts.find((mount) => mount.destination === destination)?.options).toContain('ro');
    }
  });

  it('give terminals to the group tty where that group exists', () => {
    const options = (host: typeof ROOTFUL) =>
      mountsFor([], { host }).find(({ type }) => type === 'devpts')?.options;
    expect(options(ROOTFUL)).toEqual(
      expect.arrayContaining(['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5']),
    );
    expect(options(ONE_USER)).not.toContain('gid=5');
  });

  it('bind the host’s /sys, read-only, where sysfs of a foreign network cannot be mounted', () => {
    const sys = mountsFor([], { foreignNetwork: true }).find(({ destination }) => destination === '/sys');
    expect(sys?.source).toBe('/sys');
    expect(sys?.options).toEqual(expect.arrayContaining(['rbind', 'ro', 'nosuid', 'nodev', 'noexec']));
  });

  it('take the size of /dev/shm', () => {
    const shm = mountsOf({}, requestOf({ shmSize: 1024 }), facts).find(({ source }) => source === 'shm');
    expect(shm?.options).toContain('size=1024');
  });

  it('include the three files of the runner', () => {
    const files = { hosts: '/c/hosts', resolv: '/c/resolv.conf', hostname: '/c/hostname' };
    expect(mountsFor([], { files }).filter(({ type }) => type === 'bind')).toMatchObject([
      { source: '/c/resolv.conf', destination: '/etc/resolv.conf' },
      { source: '/c/hostname', destination: '/etc/hostname' },
      { source: '/c/hosts', destination: '/etc/hosts' },
    ]);
  });
});

describe('mounts asked for', () => {
  it('come after the defaults, parents first', () => {
    const mounts = mountsFor([bind('/1', '/a/b/c'), bind('/2', '/a'), bind('/3', '/a/b')]);
    expect(mounts.slice(-3).map(({ destination }) => destination)).toEqual(['/a', '/a/b', '/a/b/c']);
  });

  it('take the place of a default at the same target, however it is written', () => {
    const mounts = mountsFor([bind('/1', '/dev//shm/'), bind('/2', '/etc/../etc/hosts')], {
      files: { hosts: '/c/hosts' },
    });
    expect(mounts.filter(({ destination }) => destination === '/dev/shm')).toEqual([
      { destination: '/dev/shm', type: 'bind', source: '/1', options: ['rbind', 'rprivate'] },
    ]);
    expect(
      mounts.filter(({ destination }) => destination === '/etc/hosts').map(({ source }) => source),
    ).toEqual(['/2']);
  });

  it('are read-only, and propagate, as asked', () => {
    const [mount] = mountsFor([
      { kind: 'bind', source: '/s', target: '/t', readonly: true, propagation: 'rslave' },
    ]).slice(-1);
    expect(mount?.options).toEqual(['rbind', 'rslave', 'ro']);
  });

  it('in memory are sealed unless the opposite was asked for', () => {
    const options = (...given: string[]) =>
      mountsFor([{ kind: 'tmpfs', target: '/t', options: given }]).at(-1)?.options;
    expect(options('size=64')).toEqual(['noexec', 'nosuid', 'nodev', 'size=64']);
    expect(options('exec')).toEqual(['nosuid', 'nodev', 'exec']);
  });
});

describe('volumes', () => {
  const image = { Volumes: { '/data': {}, '/cache/': {}, '/': {}, 'rel/x': {} } };

  it('of the image are needed where nothing else is mounted, those by name always', () => {
    const mounts: MountRequest[] = [
      { kind: 'volume', name: 'mine', target: '/named', readonly: true },
      bind('/s', '/data'),
      { kind: 'volume', target: '/anonymous', readonly: false },
    ];
    expect(volumesNeeded(image, { mounts })).toEqual([
      { target: '/named', name: 'mine', readonly: true },
      { target: '/anonymous', readonly: false },
      { target: '/cache', readonly: false },
      { target: '/rel/x', readonly: false },
    ]);
  });

  it('are mounted from the folders made for them, which hold no devices', () => {
    const volumes = new Map([
      ['/data', '/store/v/1'],
      ['/cache', '/store/v/2'],
      ['/rel/x', '/store/v/3'],
    ]);
    const mounts = mountsOf(image, requestOf(), { ...facts, volumes }).filter(({ type }) => type === 'bind');
    expect(mounts.map(({ source, destination }) => [source, destination])).toEqual([
      ['/store/v/1', '/data'],
      ['/store/v/2', '/cache'],
      ['/store/v/3', '/rel/x'],
    ]);
    for (const { options } of mounts) expect(options).toEqual(expect.arrayContaining(['nodev', 'nosuid']));
  });

  it('that nobody made are a mistake of the caller', () => {
    expect(() => mountsOf(image, requestOf(), facts)).toThrow('no folder was made for the volume at /data');
  });
});
