// Everything mounted into a container, in order: the kernel's file systems, the runner's three files in /etc, then what
// was asked for, parents before what lies below them.
import type { RunConfig } from '../../manifest/config.ts';
import { type HostFacts, inMap } from './host-facts.ts';
import type { RunRequest } from './run-request.ts';
import type { Mount } from './runtime-spec.ts';
import { normalTarget, volumesNeeded } from './volumes.ts';

const SHM_BYTES = 64 * 1024 * 1024;
/** The group `tty`, as every distribution numbers it. */
const TTY_GID = 5;

export interface MountFacts {
  host: Pick<HostFacts, 'ids' | 'rootless'>;
  /** True: mount a cgroup file system, read-only. */
  cgroup: boolean;
  /** True when the network namespace is not one that this user namespace owns: sysfs cannot be mounted then. */
  foreignNetwork: boolean;
  /** Files to mount at /etc/hosts, /etc/resolv.conf and /etc/hostname. */
  files: { hosts?: string; resolv?: string; hostname?: string };
  /** Folder of each volume that `volumesNeeded` names, by target. */
  volumes: ReadonlyMap<string, string>;
}

/** The mounts of a container. A mount asked for takes the place of a default one with the same target. */
export function mountsOf(image: RunConfig, request: RunRequest, facts: MountFacts): Mount[] {
  const asked = [...requested(request), ...volumeMounts(image, request, facts.volumes)].sort(byDepth);
  const taken = new Set(asked.map(({ destination }) => destination));
  const defaults = [...kernelMounts(request, facts), ...fileMounts(facts.files)];
  return [...defaults.filter(({ destination }) => !taken.has(destination)), ...asked];
}

function kernelMounts(request: RunRequest, { host, cgroup, foreignNetwork }: MountFacts): Mount[] {
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  if (inMap(host.ids.gids, TTY_GID)) pts.push(`gid=${TTY_GID}`);
  const sealed = ['nosuid', 'noexec', 'nodev'];
  const mounts: Mount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: sealed },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: pts },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: [...sealed, 'mode=1777', `size=${request.shmSize ?? SHM_BYTES}`],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: sealed },
    foreignNetwork
      ? { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'rprivate', ...sealed, 'ro'] }
      : { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...sealed, 'ro'] },
  ];
  if (cgroup) {
    const options = [...sealed, 'relatime', 'ro'];
    mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options });
  }
  return mounts;
}

/** Writable, as in Docker: whoever is root inside may edit names; the files are this container's own. */
function fileMounts(files: MountFacts['files']): Mount[] {
  const sources = [
    ['/etc/resolv.conf', files.resolv],
    ['/etc/hostname', files.hostname],
    ['/etc/hosts', files.hosts],
  ] as const;
  return sources.flatMap(([destination, source]) =>
    source === undefined ? [] : [bind(source, destination, ['nosuid', 'nodev', 'noexec'])],
  );
}

function requested(request: RunRequest): Mount[] {
  const mounts: Mount[] = [];
  for (const mount of request.mounts) {
    const destination = normalTarget(mount.target);
    if (mount.kind === 'bind') {
      mounts.push(bind(mount.source, destination, mount.readonly ? ['ro'] : [], mount.propagation));
    } else if (mount.kind === 'tmpfs') {
      mounts.push({ destination, type: 'tmpfs', source: 'tmpfs', options: tmpfsOptions(mount.options) });
    }
  }
  return mounts;
}

function volumeMounts(image: RunConfig, request: RunRequest, volumes: ReadonlyMap<string, string>): Mount[] {
  return volumesNeeded(image, request).map(({ target, readonly }) => {
    const source = volumes.get(target);
    // A caller's mistake, not a user's.
    if (source === undefined) throw new Error(`no folder was made for the volume at ${target}`);
    return bind(source, target, ['nosuid', 'nodev', ...(readonly ? ['ro'] : [])]);
  });
}

function bind(source: string, destination: string, options: string[], propagation = 'rprivate'): Mount {
  return { destination, type: 'bind', source, options: ['rbind', propagation, ...options] };
}

/** Docker's defaults unless the opposite was asked for. */
function tmpfsOptions(options: readonly string[]): string[] {
  const opposites = { noexec: 'exec', nosuid: 'suid', nodev: 'dev' };
  const defaults = Object.entries(opposites).filter(
    ([name, opposite]) => !options.includes(name) && !options.includes(opposite),
  );
  return [...defaults.map(([name]) => name), ...options];
}

function byDepth(a: Mount, b: Mount): number {
  return depth(a) - depth(b);
}

function depth({ destination }: Mount): number {
  return destination.split('/').length;
}
