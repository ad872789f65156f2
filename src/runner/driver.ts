// The contract of what turns a bundle into a process: an OCI runtime (crun, runc, youki) or the built-in init.
// A driver runs in the container's monitor (see monitor.ts), which is already in the container's own mount and network
// namespace, has the root file system mounted at `spec.root.path`, and waits for the container's end.
import type { RuntimeSpec } from './spec/runtime-spec.ts';

/** A protection that this machine or this driver cannot give. Recorded in the container's state, shown by `ps --json`. */
export type Protection =
  | 'seccomp'
  | 'cgroups'
  | 'device-cgroup'
  | 'user-namespace'
  | 'no-new-privileges'
  | 'masked-paths'
  | 'network-namespace';

export interface Launch {
  /** The container's id: 64 hexadecimal digits. */
  id: string;
  /** The folder with config.json; the driver may keep files of its own below `driver/` in it. */
  bundle: string;
  spec: RuntimeSpec;
  /** Descriptors of this process for the container's 0, 1 and 2; unused when `spec.process.terminal`. */
  stdio: readonly [number, number, number];
  /** A normal user's container: this process is root of a user namespace only. */
  rootless: boolean;
}

/** How a process ended. */
export type ExitStatus = { code: number } | { signal: NodeJS.Signals };

export interface Launched {
  /** The container's first process, as seen by the monitor. */
  pid: number;
  /** Its end. Never rejects: a runtime that breaks counts as 125. */
  exited: Promise<ExitStatus>;
  /** How to signal it where `pid` is a helper that passes no signal on. */
  signal?: (signal: NodeJS.Signals) => void;
  /** The master side of the container's terminal, when `spec.process.terminal`; the monitor owns it. */
  terminal?: number;
}

export interface ExecRequest {
  /** The container's first process. */
  pid: number;
  id: string;
  bundle: string;
  /** The container's own spec with this process's args, env, cwd, user and terminal in place. */
  spec: RuntimeSpec;
  stdio: readonly [number, number, number];
  rootless: boolean;
}

export interface Driver {
  /** `builtin`, `crun`, `runc`, `youki`. */
  readonly name: string;
  /** Where the runtime is; undefined for the built-in one. */
  readonly path: string | undefined;
  /** What it cannot give on this machine. */
  readonly missing: readonly Protection[];
  /**
   * Starts the container's first process. Throws COMMAND_NOT_FOUND (127), COMMAND_NOT_EXECUTABLE (126) before anything
   * of the image ran, RUNTIME_FAILED (125) with what the runtime said.
   */
  launch(launch: Launch): Promise<Launched>;
  /** A further process in a running container. Called by `exec`, outside the monitor. Throws as `launch` does. */
  exec(request: ExecRequest): Promise<Launched>;
}
