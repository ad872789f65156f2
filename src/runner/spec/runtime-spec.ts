// The OCI runtime specification's config.json, as far as we write it (runtime-spec config.md and config-linux.md).
// Drivers are fed with this and nothing else: an OCI runtime gets it as a file, the built-in one turns it into a plan.

/** config.json. */
export interface RuntimeSpec {
  ociVersion: string;
  process: Process;
  root: { path: string; readonly: boolean };
  hostname?: string;
  mounts: Mount[];
  linux: Linux;
  annotations?: Record<string, string>;
}

export interface Process {
  terminal: boolean;
  /** Of the terminal at the beginning. */
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; additionalGids: number[]; umask?: number };
  args: string[];
  env: string[];
  /** Absolute, inside the root. */
  cwd: string;
  capabilities: Record<'bounding' | 'effective' | 'inheritable' | 'permitted' | 'ambient', readonly string[]>;
  rlimits: Rlimit[];
  noNewPrivileges: boolean;
  oomScoreAdj?: number;
}

export interface Rlimit {
  /** `RLIMIT_NOFILE`. */
  type: string;
  hard: number;
  soft: number;
}

export interface Mount {
  /** Absolute, inside the root; resolved there, after the pivot. */
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export type NamespaceType = 'pid' | 'network' | 'ipc' | 'uts' | 'mount' | 'user' | 'cgroup';

export interface Linux {
  /** Each entry is a new namespace; one that is absent is shared with whoever starts the driver. */
  namespaces: { type: NamespaceType; path?: string }[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  devices: Device[];
  cgroupsPath?: string;
  resources?: Resources;
  seccomp?: Seccomp;
  maskedPaths: string[];
  readonlyPaths: string[];
  sysctl?: Record<string, string>;
  rootfsPropagation?: string;
}

export interface IdMapping {
  containerID: number;
  hostID: number;
  size: number;
}

export interface Device {
  path: string;
  type: 'c' | 'b' | 'p';
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
}

export interface Resources {
  /** Bytes. */
  memory?: { limit: number; swap?: number };
  /** Microseconds. */
  cpu?: { quota: number; period: number };
  pids?: { limit: number };
  devices?: { allow: boolean; type?: string; major?: number; minor?: number; access: string }[];
}

export interface Seccomp {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures: string[];
  flags?: string[];
  syscalls: SyscallRule[];
}

export interface SyscallRule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}
