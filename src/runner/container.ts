// What is known of a container, and where it is kept: one folder each, whose files have one writer each.
import { join } from 'node:path';
import type { ExitStatus, Protection } from './driver.ts';
import type { PortRequest, RunRequest } from './spec/run-request.ts';

/** Files of one container, below `containers/<id>/` in the store's private folder. */
export interface ContainerPaths {
  /** The folder, which is also the runtime bundle. */
  folder: string;
  /** config.json, the runtime spec. */
  spec: string;
  /** What was asked for; written once. */
  record: string;
  /** What has become of it; written by the monitor. */
  state: string;
  log: string;
  /** The files mounted at /etc/hosts, /etc/resolv.conf and /etc/hostname. */
  hosts: string;
  resolv: string;
  hostname: string;
  /** Overlay: the container's own layer, the overlay's work folder, and where the root file system is mounted. */
  upper: string;
  work: string;
  rootfs: string;
  /** Of the built-in driver or the OCI runtime. */
  driver: string;
  /** Empty until the end; then how it ended. Whoever holds it open learns that although the folder is removed. */
  exit: string;
}

export function containerPaths(containers: string, id: string): ContainerPaths {
  const folder = join(containers, id);
  const at = (name: string): string => join(folder, name);
  return {
    folder,
    spec: at('config.json'),
    record: at('record.json'),
    state: at('state.json'),
    log: at('log'),
    hosts: at('hosts'),
    resolv: at('resolv.conf'),
    hostname: at('hostname'),
    upper: at('upper'),
    work: at('work'),
    rootfs: at('rootfs'),
    driver: at('driver'),
    exit: at('exit'),
  };
}

/** What a container was made from; never changes. */
export interface ContainerRecord {
  version: 1;
  /** 64 hexadecimal digits. */
  id: string;
  name: string;
  /** ISO 8601. */
  created: string;
  image: { name: string; digest: string };
  request: RunRequest;
  /** The command as it was started, of image and request together. */
  args: string[];
  /** What is published; each with the port that was found for it. */
  ports: PortRequest[];
  /** The flattened root file system it runs on: a name in the store's folder of trees. gc spares it. */
  tree: string;
  /** What `stop` sends first. */
  stopSignal: string;
  runtime: RuntimeChoice;
  /** The cgroup's path below each hierarchy; absent without one. */
  cgroup?: string;
}

/** The driver, as it is found again by another process. */
export interface RuntimeChoice {
  /** `builtin`, `crun`, `runc`, `youki`, or the file name of another OCI runtime. */
  name: string;
  /** Of an OCI runtime. */
  path?: string;
  missing: Protection[];
}

/** A process that cannot be mistaken for a later one with its pid: both are compared. */
export interface ProcessIdentity {
  pid: number;
  /** Field 22 of /proc/PID/stat, clock ticks since boot. */
  startTime: string;
}

/** What has become of a container. A dead monitor's `running` is corrected by whoever reads it. */
export type ContainerState =
  | { status: 'created'; monitor: ProcessIdentity }
  | {
      status: 'running';
      monitor: ProcessIdentity;
      process: ProcessIdentity;
      /** ISO 8601. */
      started: string;
      driver: string;
      missing: Protection[];
      networks: Attachment[];
    }
  | { status: 'exited'; exit: ExitStatus; started?: string; finished: string; error?: string };

/** A container's place in a network. */
export interface Attachment {
  network: string;
  /** IPv4 address with prefix length, `10.89.0.2/24`. */
  address: string;
  mac: string;
  /** Interface inside the container, `eth0`. */
  device: string;
}
