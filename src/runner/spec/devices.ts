// The devices every container has (runtime-spec config-linux.md, Default Devices). OCI runtimes make them unasked; the
// built-in driver takes them from here.
import type { Device, Resources } from './runtime-spec.ts';

export const DEFAULT_DEVICES: readonly Device[] = [
  character('/dev/null', 1, 3),
  character('/dev/zero', 1, 5),
  character('/dev/full', 1, 7),
  character('/dev/random', 1, 8),
  character('/dev/urandom', 1, 9),
  character('/dev/tty', 5, 0),
];

/** Symbolic links in /dev: name, then target. */
export const DEFAULT_LINKS: ReadonlyArray<readonly [path: string, target: string]> = [
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
  ['/dev/ptmx', 'pts/ptmx'],
];

function character(path: string, major: number, minor: number): Device {
  return { path, type: 'c', major, minor, fileMode: 0o666, uid: 0, gid: 0 };
}

/** Rules of the device cgroup, first to last: nothing but the default devices, the console and terminals. */
export function deviceRules(): NonNullable<Resources['devices']> {
  return [
    { allow: false, access: 'rwm' },
    ...DEFAULT_DEVICES.map(({ major, minor }) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
    { allow: true, type: 'c', major: 5, minor: 1, access: 'rwm' },
    { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
    { allow: true, type: 'c', major: 136, access: 'rwm' },
  ];
}
