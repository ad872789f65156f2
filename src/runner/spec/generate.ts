// From an image's config and a request to the runtime spec: the one place where a container's isolation is decided.
// Pure: what it needs to know of the machine, of the image's users and of folders made for it comes in as data.
import type { RunConfig } from '../../manifest/config.ts';
import { chooseCapabilities } from './capabilities.ts';
import { argsOf, cwdOf, envOf, INIT_PATH } from './command-line.ts';
import { type HostFacts, inMap } from './host-facts.ts';
import { MASKED_PATHS, READONLY_PATHS } from './host-paths.ts';
import { resourcesOf, rlimitsOf } from './limits.ts';
import { mountsOf } from './mounts.ts';
import type { RunRequest } from './run-request.ts';
import type { IdMapping, Linux, NamespaceType, Process, RuntimeSpec } from './runtime-spec.ts';
import { seccompOf } from './seccomp.ts';
import { parseSecurityOptions } from './security-options.ts';
import { networkSysctls } from './sysctls.ts';
import { noHostId, type ResolvedUser } from './user.ts';

export interface GenerateInput {
  /** 64 hexadecimal digits; its first twelve are the hostname unless another was asked for. */
  id: string;
  image: RunConfig;
  request: RunRequest;
  /** Of `resolveUser`, for `request.user ?? image.User`. */
  user: ResolvedUser;
  host: HostFacts;
  /** Root file system: absolute, without symbolic links, or relative to the bundle. */
  rootfs: string;
  /**
   * `monitor`: the driver's starter has the container's network namespace already. `host`: it has the host's.
   * `new`: the runtime makes one (`unpack --bundle`).
   */
  network: 'monitor' | 'host' | 'new';
  /** Undefined: no cgroup can be had. `swap`: swap is accounted for. */
  cgroup?: { path?: string; swap: boolean };
  /** A new user namespace with these maps; undefined: that of whoever starts the driver. */
  userNamespace?: { uids: IdMapping[]; gids: IdMapping[] };
  /** Files to mount at /etc/hosts, /etc/resolv.conf and /etc/hostname. */
  files?: { hosts?: string; resolv?: string; hostname?: string };
  /** Folder of each volume that `volumesNeeded` names, by target. */
  volumes?: ReadonlyMap<string, string>;
  /** Path of a static init on the host for `--init`: it is mounted at /dev/init and put before the command. */
  init?: string;
  /** Kept in the spec for whoever reads it (`org.opencontainers.image.…`). */
  annotations?: Record<string, string>;
}

/**
 * The container's config.json. Throws USAGE for what was asked wrongly, PERMISSION for a capability that is not ours
 * to give, UNSUPPORTED for a user without an id on this machine.
 */
export function generateSpec(input: GenerateInput): RuntimeSpec {
  const { image, request, host } = input;
  const hostname = request.hostname ?? input.id.slice(0, 12);
  const security = parseSecurityOptions(request.securityOpt);
  const capabilities = chooseCapabilities(request, host.bounding);
  const mounts = mountsOf(image, request, {
    host: factsInside(input),
    cgroup: input.cgroup !== undefined,
    foreignNetwork: input.network === 'host' && host.rootless,
    files: input.files ?? {},
    volumes: input.volumes ?? new Map(),
  });
  const withInit = request.init && input.init !== undefined;
  if (withInit) {
    const options = ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'];
    mounts.push({ destination: INIT_PATH, type: 'bind', source: input.init as string, options });
  }
  const slave = request.mounts.some(
    (mount) => mount.kind === 'bind' && (mount.propagation ?? '').endsWith('slave'),
  );
  const args = argsOf(image, request);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: request.terminal,
      user: userOf(input),
      args: withInit ? [INIT_PATH, '--', ...args] : args,
      env: envOf(image, request, { hostname, home: input.user.home }),
      cwd: cwdOf(image, request),
      capabilities: capabilitySets(capabilities, input.user.uid),
      rlimits: rlimitsOf(request.ulimits, host),
      noNewPrivileges: security.noNewPrivileges,
    },
    root: { path: input.rootfs, readonly: request.readonly },
    hostname,
    mounts,
    linux: {
      ...namespacesOf(input),
      devices: [],
      ...cgroupOf(input),
      ...(security.seccomp === 'unconfined'
        ? {}
        : { seccomp: seccompOf(security.seccomp, { architecture: host.architecture, capabilities }) }),
      maskedPaths: security.unmask ? [] : [...MASKED_PATHS, ...host.maskedPaths],
      readonlyPaths: security.unmask ? [] : [...READONLY_PATHS],
      ...(input.network === 'new' ? { sysctl: networkSysctls(factsInside(input).ids.gids) } : {}),
      ...(slave ? { rootfsPropagation: 'slave' } : {}),
    },
    annotations: { ...input.annotations, ...image.Labels, ...request.labels },
  };
}

/** The ids the container's own user namespace has, if it gets one. */
function factsInside({ host, userNamespace }: GenerateInput): HostFacts {
  if (userNamespace === undefined) return host;
  return {
    ...host,
    ids: { uids: userNamespace.uids, gids: userNamespace.gids, setgroups: host.ids.setgroups },
  };
}

function userOf(input: GenerateInput): Process['user'] {
  const { uid, gid, additionalGids } = input.user;
  const { ids } = factsInside(input);
  if (!inMap(ids.uids, uid)) throw noHostId('user', uid, count(ids.uids));
  if (!inMap(ids.gids, gid)) throw noHostId('group', gid, count(ids.gids));
  // The primary group among the others: else a setgid program could drop it and pass a `deny group` (CVE-2022-36109).
  const groups = [...new Set([gid, ...additionalGids])].filter((id) => inMap(ids.gids, id));
  return { uid, gid, additionalGids: ids.setgroups ? groups : [], umask: 0o022 };
}

function count(map: readonly IdMapping[]): number {
  return map.reduce((sum, { size }) => sum + size, 0);
}

/** A user other than root gets none by itself; the bounding set is what a program with file capabilities may get. */
function capabilitySets(bounding: readonly string[], uid: number): Process['capabilities'] {
  const own = uid === 0 ? bounding : [];
  return { bounding, effective: own, permitted: own, inheritable: [], ambient: [] };
}

function namespacesOf({
  network,
  userNamespace,
}: GenerateInput): Pick<Linux, 'namespaces' | 'uidMappings' | 'gidMappings'> {
  const types: NamespaceType[] = ['pid', 'ipc', 'uts', 'mount', 'cgroup'];
  if (network === 'new') types.push('network');
  if (userNamespace === undefined) return { namespaces: types.map((type) => ({ type })) };
  types.push('user');
  return {
    namespaces: types.map((type) => ({ type })),
    uidMappings: userNamespace.uids,
    gidMappings: userNamespace.gids,
  };
}

function cgroupOf({ cgroup, request, host }: GenerateInput): Pick<Linux, 'cgroupsPath' | 'resources'> {
  if (cgroup === undefined) return {};
  return {
    ...(cgroup.path === undefined ? {} : { cgroupsPath: cgroup.path }),
    resources: resourcesOf(request, { swap: cgroup.swap, rootless: host.rootless }),
  };
}
