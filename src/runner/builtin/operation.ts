// The steps from a bare process to a container's process. plan.ts chooses and orders them, container-init.ts carries
// them out, one after the other; the first that fails ends it. Plain data: a plan travels as JSON.
import type { NamespaceType } from '../spec/runtime-spec.ts';
import type { MOUNT_ATTRIBUTES, PROPAGATION } from './numbers.ts';

export type Attribute = keyof typeof MOUNT_ATTRIBUTES;
export type Propagation = keyof typeof PROPAGATION;

/** A mount that is made or opened but not yet anywhere, by a name of its own in the plan. */
export type Slot = string;

export type Operation =
  // The process itself.
  /** SIGKILL when the starter's thread dies, and an end at once when it has died already. */
  | { do: 'die-with-starter' }
  /** Others of the same user may not look into this process: it holds more than they do. */
  | { do: 'hide-from-others' }
  | { do: 'new-keyring' }
  | { do: 'oom-score'; value: number }
  /** The cgroup's `cgroup.procs`, on the host. */
  | { do: 'enter-cgroup'; file: string }
  // Namespaces. The pid namespace is the starter's doing: a process is born in one.
  | { do: 'unshare'; namespaces: NamespaceType[] }
  | { do: 'join-path'; namespace: NamespaceType; path: string }
  /** Those of the container's first process, by the pidfd that was passed on; the mount namespace last. */
  | { do: 'join-container'; namespaces: NamespaceType[] }
  | { do: 'loopback-up' }
  | { do: 'hostname'; name: string }
  // Before the pivot paths are the host's, and nothing of the image is looked at.
  | { do: 'stop-propagation'; to: 'private' | 'slave' }
  | { do: 'open-root'; path: string; attributes: Attribute[] }
  /** A file system of the kernel's, made in the namespaces we are in now. */
  | { do: 'make'; slot: Slot; type: string; source: string; settings: Setting[]; attributes: Attribute[] }
  /** A file or directory of the host. */
  | { do: 'clone'; slot: Slot; source: string; recursive: boolean }
  // The change of root.
  /** The root becomes `/`, and the old one is gone from this mount namespace. */
  | { do: 'pivot' }
  /** Opens `/` as it is: where `pivot` was somebody else's. */
  | { do: 'open-current-root' }
  // After it: every path is the container's and is looked up below its root; what is missing is made.
  | {
      do: 'attach';
      slot: Slot;
      target: string;
      /** False: a symbolic link anywhere in the target is an error. */
      links: boolean;
      attributes: Attribute[];
      /** Refuse devices, unless the source is itself one. */
      nodev: boolean;
      recursive: boolean;
      propagation: Propagation;
    }
  | {
      do: 'device';
      path: string;
      type: 'c' | 'b' | 'p';
      major: number;
      minor: number;
      mode: number;
      uid: number;
      gid: number;
    }
  | { do: 'link'; path: string; target: string }
  /** Written in the proc file system that fills `slot`, whatever is at /proc. */
  | { do: 'sysctl'; slot: Slot; name: string; value: string }
  /** Both leave out what is not there. */
  | { do: 'read-only'; path: string }
  | { do: 'mask'; path: string }
  | { do: 'make-directory'; path: string }
  | { do: 'seal-root' }
  // What the program will be.
  | { do: 'new-session' }
  /** A terminal of the container's own devpts becomes 0, 1 and 2; the starter takes the other side. */
  | { do: 'terminal' }
  | { do: 'console'; path: string }
  /** Descriptors of the host's /dev/null become the container's: root inside could change the mode of the file itself. */
  | { do: 'own-null' }
  | { do: 'limit'; resource: number; soft: number; hard: number }
  | { do: 'umask'; mask: number }
  /** Pipes, and a terminal that is ours, so that the user may open /dev/stdout; other files stay whose they are. */
  | { do: 'own-stdio'; uid: number; terminal: boolean }
  /** Numbers of the capabilities that stay. */
  | { do: 'bounding'; keep: number[] }
  | { do: 'keep-capabilities' }
  | { do: 'groups'; gids: number[] }
  | { do: 'gid'; gid: number }
  | { do: 'uid'; uid: number }
  /** Numbers; less what is not in our own bounding set. */
  | { do: 'capabilities'; effective: number[]; permitted: number[]; inheritable: number[] }
  | { do: 'ambient'; capabilities: number[] }
  | { do: 'working-directory'; path: string }
  | { do: 'no-new-privileges' }
  /** `filter`: a BPF program, base64. */
  | { do: 'seccomp'; filter: string; flags: number }
  | { do: 'reset-signals' }
  /** Every descriptor but 0, 1 and 2 closes when the program starts. */
  | { do: 'close-others' }
  | { do: 'execute'; args: string[]; env: string[]; searchPath: string[] };

/** `["size", "64m"]` or `["newinstance"]`. */
export type Setting = [key: string, value?: string];

/** What an operation is called in an error: `attach /proc`. */
export function describe(operation: Operation): string {
  const fields: Partial<Record<string, unknown>> = operation;
  const about = ['path', 'target', 'source', 'name', 'file'].map((key) => fields[key]).find(isText);
  return about === undefined ? operation.do : `${operation.do} ${about}`;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
