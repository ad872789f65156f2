// What `run` was asked for, once its flags are parsed and checked: plain data, kept with the container.

export interface RunRequest {
  /** The command; replaces the image's Cmd. Empty: the image's. */
  command: string[];
  /** Replaces the image's Entrypoint, and its Cmd. */
  entrypoint?: string[];
  /** `KEY=value`, from --env-file and -e, later ones win; `KEY` alone takes the image's variable away. */
  env: string[];
  workdir?: string;
  /** `user`, `uid`, `user:group`, `uid:gid`; names are looked up in the image. */
  user?: string;
  mounts: MountRequest[];
  readonly: boolean;
  hostname?: string;
  labels: Record<string, string>;
  /** Bytes. */
  memory?: number;
  /** 1.5 is one and a half. */
  cpus?: number;
  /** -1 or 0: none. Default 2048. */
  pidsLimit?: number;
  /** Bytes of /dev/shm. Default 64 MiB. */
  shmSize?: number;
  capAdd: string[];
  capDrop: string[];
  /** `seccomp=unconfined`, `seccomp=` and a profile's text, `no-new-privileges=false`, `systempaths=unconfined`. */
  securityOpt: string[];
  /** Names without RLIMIT_, as `ulimit` has them. */
  ulimits: { name: string; soft: number; hard: number }[];
  /** A small init as pid 1 that reaps and forwards signals. */
  init: boolean;
  terminal: boolean;
  interactive: boolean;
  detach: boolean;
  /** Remove when it ends. */
  remove: boolean;
  name?: string;
  /** `auto`, `builtin`, `crun`, `runc`, `youki` or a path. */
  runtime: string;
  requireIsolation: boolean;
  /** `none`, `host`, `bridge` or names of networks. */
  networks: string[];
  publish: PortRequest[];
  stopSignal?: string;
}

export type MountRequest =
  | { kind: 'bind'; source: string; target: string; readonly: boolean; propagation?: string }
  /** Without a name it goes with the container. */
  | { kind: 'volume'; name?: string; target: string; readonly: boolean }
  | { kind: 'tmpfs'; target: string; options: string[] };

/** `-p [ip:]host:container[/udp]`. */
export interface PortRequest {
  /** Default 127.0.0.1. */
  address: string;
  /** 0: any free one. */
  hostPort: number;
  containerPort: number;
  protocol: 'tcp' | 'udp';
}

/** What `run IMAGE` alone asks for, but for `changes`. */
export function plainRequest(changes: Partial<RunRequest> = {}): RunRequest {
  return {
    command: [],
    env: [],
    mounts: [],
    readonly: false,
    labels: {},
    capAdd: [],
    capDrop: [],
    securityOpt: [],
    ulimits: [],
    init: false,
    terminal: false,
    interactive: false,
    detach: false,
    remove: false,
    runtime: 'auto',
    requireIsolation: false,
    networks: [],
    publish: [],
    ...changes,
  };
}
