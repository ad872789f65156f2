// The plan of a container: what the built-in driver does, in order, between a process as root and the program of an
// image. Pure, and the file to read for whoever wants to know whether the isolation holds.
//
// Three rules carry it. Until the pivot, paths are the host's and only the host's: file systems are made and sources
// opened, but nothing is attached and nothing of the image is looked at. The pivot takes the host's files out of sight
// for good. After it, every target is looked up below the new root, so that a link in the image leads nowhere else.
import { CAPABILITIES } from '../spec/capabilities.ts';
import { DEFAULT_DEVICES, DEFAULT_LINKS } from '../spec/devices.ts';
import type { Mount, NamespaceType, RuntimeSpec } from '../spec/runtime-spec.ts';
import { parseMountOptions } from './mount-options.ts';
import { RLIMITS } from './numbers.ts';
import type { Operation } from './operation.ts';

export interface PlanFacts {
  /** Root of a user namespace only, who may make no devices. */
  rootless: boolean;
  /** False where setgroups(2) is denied: then the groups stay those we have. */
  setgroups: boolean;
  /** `cgroup.procs` of each cgroup to be in. */
  cgroups: readonly string[];
  /** Whether there are cgroups of version 2 only, so that a cgroup file system can be mounted. */
  unified: boolean;
  /** The compiled seccomp profile, base64; undefined without one. */
  filter: { program: string; flags: number } | undefined;
}

/** For the container's first process, which is born in its pid namespace. */
export function planLaunch(spec: RuntimeSpec, facts: PlanFacts): Operation[] {
  return [
    ...prepare(spec, facts),
    ...namespaces(spec),
    ...beforePivot(spec, facts),
    { do: 'pivot' },
    ...afterPivot(spec, facts),
    { do: 'make-directory', path: spec.process.cwd },
    ...(spec.root.readonly ? ([{ do: 'seal-root' }] as const) : []),
    ...becomeProgram(spec, facts, { console: true }),
  ];
}

/** For a further process: born in the container's pid namespace, it joins the others and then drops what the first did. */
export function planExec(spec: RuntimeSpec, facts: PlanFacts): Operation[] {
  return [
    ...prepare(spec, facts),
    { do: 'join-container', namespaces: ['cgroup', 'ipc', 'uts', 'network', 'mount'] },
    { do: 'open-current-root' },
    ...becomeProgram(spec, facts, { console: false }),
  ];
}

function prepare({ process }: RuntimeSpec, { cgroups }: PlanFacts): Operation[] {
  return [
    { do: 'die-with-starter' },
    { do: 'hide-from-others' },
    { do: 'new-keyring' },
    ...(process.oomScoreAdj === undefined
      ? []
      : ([{ do: 'oom-score', value: process.oomScoreAdj }] as const)),
    ...cgroups.map((file): Operation => ({ do: 'enter-cgroup', file })),
  ];
}

function namespaces({ linux, hostname }: RuntimeSpec): Operation[] {
  const others = linux.namespaces.filter(({ type }) => type !== 'pid');
  const made = others.filter(({ path }) => path === undefined).map(({ type }) => type);
  // Ours is the one we change the root of, so it is always new.
  const unshared: NamespaceType[] = [...made.filter((type) => type !== 'mount'), 'mount'];
  return [
    ...others.flatMap(({ type, path }): Operation[] =>
      path === undefined || type === 'mount' ? [] : [{ do: 'join-path', namespace: type, path }],
    ),
    { do: 'unshare', namespaces: unshared },
    ...(made.includes('network') ? ([{ do: 'loopback-up' }] as const) : []),
    ...(hostname !== undefined && others.some(({ type }) => type === 'uts')
      ? ([{ do: 'hostname', name: hostname }] as const)
      : []),
  ];
}

function beforePivot(spec: RuntimeSpec, facts: PlanFacts): Operation[] {
  const to = spec.linux.rootfsPropagation?.includes('slave') ? 'slave' : 'private';
  return [
    { do: 'stop-propagation', to },
    // Device files of an image lead nowhere.
    { do: 'open-root', path: spec.root.path, attributes: ['nodev'] },
    ...usableMounts(spec, facts).map(([mount, slot]) => prepareMount(mount, slot, bindsDevices(spec, facts))),
    ...(bindsDevices(spec, facts) ? devices(spec) : []).map(
      ({ path }): Operation => ({ do: 'clone', slot: path, source: path, recursive: false }),
    ),
  ];
}

function prepareMount(
  { destination, type, source, options }: Mount,
  slot: string,
  devicesBound: boolean,
): Operation {
  const { bind, recursive, attributes, settings } = parseMountOptions(options);
  if (bind || type === 'bind') return { do: 'clone', slot, source, recursive };
  const devicesInside = destination === '/dev' && !devicesBound;
  const all = new Set([...attributes, ...(type === 'tmpfs' && !devicesInside ? (['nodev'] as const) : [])]);
  return {
    do: 'make',
    slot,
    type: type === 'cgroup' ? 'cgroup2' : type,
    source,
    settings,
    attributes: [...all],
  };
}

/**
 * Devices are made in /dev, or the host's are bound there: where none may be made, and where the container may make some
 * itself, so that no file system in it opens devices at all. That is instead of a device cgroup.
 */
function bindsDevices({ process }: RuntimeSpec, { rootless }: PlanFacts): boolean {
  return rootless || process.capabilities.bounding.includes('CAP_MKNOD');
}

function afterPivot(spec: RuntimeSpec, facts: PlanFacts): Operation[] {
  const mounts = usableMounts(spec, facts);
  const proc = mounts.find(([{ type }]) => type === 'proc')?.[1];
  const { linux } = spec;
  return [
    ...mounts.map(([mount, slot]) => attach(mount, slot)),
    ...fillDev(spec, bindsDevices(spec, facts)),
    ...Object.entries(linux.sysctl ?? {}).flatMap(([name, value]): Operation[] =>
      proc === undefined ? [] : [{ do: 'sysctl', slot: proc, name, value }],
    ),
    ...linux.readonlyPaths.map((path): Operation => ({ do: 'read-only', path })),
    ...linux.maskedPaths.map((path): Operation => ({ do: 'mask', path })),
  ];
}

function attach({ destination, type, options }: Mount, slot: string): Operation {
  const { bind, recursive, attributes, propagation, devices } = parseMountOptions(options);
  const bound = bind || type === 'bind';
  return {
    do: 'attach',
    slot,
    target: destination,
    // An image has no business to say where the kernel's own file systems are.
    links: !/^\/(?:proc|sys|dev)(?:\/|$)/.test(destination),
    // Those of a file system that we made are set already.
    attributes: bound ? attributes : [],
    nodev: bound && !devices,
    recursive: bound && recursive,
    propagation,
  };
}

/** Read-only is for the file, which nobody may chmod then; a device is written to all the same. */
const AS_DEVICE: Omit<Extract<Operation, { do: 'attach' }>, 'do' | 'slot' | 'target'> = {
  links: false,
  attributes: ['ro'],
  nodev: false,
  recursive: false,
  propagation: 'private',
};

/** Only what we mounted at /dev is filled: never a directory of the image or of the host. */
function fillDev(spec: RuntimeSpec, bind: boolean): Operation[] {
  if (!spec.mounts.some(({ destination, type }) => destination === '/dev' && type === 'tmpfs')) return [];
  return [
    ...devices(spec).map(
      ({ path, fileMode: mode, ...device }): Operation =>
        bind
          ? { do: 'attach', slot: path, target: path, ...AS_DEVICE }
          : { do: 'device', path, mode, ...device },
    ),
    ...DEFAULT_LINKS.map(([path, target]): Operation => ({ do: 'link', path, target })),
  ];
}

function devices({ linux }: RuntimeSpec): RuntimeSpec['linux']['devices'] {
  const own = new Set(linux.devices.map(({ path }) => path));
  return [...DEFAULT_DEVICES.filter(({ path }) => !own.has(path)), ...linux.devices];
}

/** The mounts with a slot each. Of several versions of cgroups nothing can be shown that would not show the host's. */
function usableMounts({ mounts }: RuntimeSpec, { unified }: PlanFacts): [Mount, string][] {
  return mounts
    .filter(({ type }) => type !== 'cgroup' || unified)
    .map((mount, index) => [mount, `${index} ${mount.destination}`]);
}

/** From here on each step takes something away; the order is forced by what each next step still needs. */
function becomeProgram(spec: RuntimeSpec, facts: PlanFacts, options: { console: boolean }): Operation[] {
  const { user, capabilities, rlimits, terminal, noNewPrivileges, cwd, args, env } = spec.process;
  const seccomp: Operation[] =
    facts.filter === undefined
      ? []
      : [{ do: 'seccomp', filter: facts.filter.program, flags: facts.filter.flags }];
  return [
    { do: 'new-session' },
    ...(terminal ? ([{ do: 'terminal' }] as const) : []),
    ...(terminal && options.console ? ([{ do: 'console', path: '/dev/console' }] as const) : []),
    ...(terminal ? [] : ([{ do: 'own-null' }] as const)),
    ...rlimits.map(({ type, soft, hard }): Operation => {
      return { do: 'limit', resource: RLIMITS[type] ?? -1, soft, hard };
    }),
    { do: 'umask', mask: user.umask ?? 0o022 },
    ...(user.uid === 0 ? [] : ([{ do: 'own-stdio', uid: user.uid, terminal }] as const)),
    { do: 'bounding', keep: numbersOf(capabilities.bounding) },
    // Without no_new_privs a filter needs CAP_SYS_ADMIN: load it while we have that.
    ...(noNewPrivileges ? [] : seccomp),
    { do: 'keep-capabilities' },
    ...(facts.setgroups ? ([{ do: 'groups', gids: user.additionalGids }] as const) : []),
    { do: 'gid', gid: user.gid },
    { do: 'uid', uid: user.uid },
    {
      do: 'capabilities',
      effective: numbersOf(capabilities.effective),
      permitted: numbersOf(capabilities.permitted),
      inheritable: numbersOf(capabilities.inheritable),
    },
    { do: 'ambient', capabilities: numbersOf(capabilities.ambient) },
    { do: 'working-directory', path: cwd },
    { do: 'reset-signals' },
    ...(noNewPrivileges ? [{ do: 'no-new-privileges' } as const, ...seccomp] : []),
    // Changes of credentials clear it, so it comes again, last.
    { do: 'die-with-starter' },
    { do: 'close-others' },
    { do: 'execute', args, env, searchPath: searchPath(env) },
  ];
}

function numbersOf(names: readonly string[]): number[] {
  return names.map((name) => (CAPABILITIES as readonly string[]).indexOf(name)).filter((bit) => bit !== -1);
}

/** Where a command without a slash is looked for. */
function searchPath(env: readonly string[]): string[] {
  const set = env.find((entry) => entry.startsWith('PATH='));
  const path = set?.slice('PATH='.length) ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return path.split(':').map((folder) => (folder === '' ? '.' : folder));
}
