// What the life of a container asks of its networks. The monitor has a network namespace of its own before anything
// here is called, except with `--network host`. All of it dies with that namespace; nothing else must be left behind
// but leases, which are freed by whoever finds their container gone.
// `listen` (listen.ts) runs in the command, `startPublisher` (publisher.ts) in the monitor, `createNetworks`
// (networks.ts) wherever pids are the monitor's: for a normal user, within the holder.
import type { Attachment, ContainerPaths, ProcessIdentity } from '../container.ts';
import type { PortRequest, RunRequest } from '../spec/run-request.ts';

/** A listening socket of the host, opened before the container starts so that a taken port is told at once. */
export interface Published extends PortRequest {
  /** An inherited descriptor: of the listening TCP socket, or of the bound UDP one. */
  descriptor: number;
}

/** Who is to be connected. */
export interface Joining {
  /** 64 hexadecimal digits. */
  id: string;
  name: string;
  /** Its folder is there; `hosts` and `resolv` are written here. */
  paths: Pick<ContainerPaths, 'folder' | 'hosts' | 'resolv'>;
  request: Pick<RunRequest, 'networks' | 'hostname'>;
  /** The monitor: alone in the mount and network namespace to connect. Its end frees the addresses. */
  monitor: ProcessIdentity;
}

/** What came of it. */
export interface Attached {
  attachments: Attachment[];
  /** What the user should know: `no way out of network bridge: …`. One line each, for stderr. */
  notes: string[];
}

export interface Networks {
  /**
   * Connects a waiting monitor to the networks asked for (switches, veth pairs, addresses, filters) and writes its
   * /etc/hosts, its /etc/resolv.conf, and the /etc/hosts of everybody on those networks. Also for `none` and `host`,
   * whose files are written and nothing else. Throws NETWORK_NOT_FOUND, PERMISSION, UNSUPPORTED, USAGE.
   */
  attach(container: Joining): Promise<Attached>;
  /**
   * Frees addresses and names; harmless when done already. `outside`: a file that is the network namespace which ways out
   * lead to, from a process that is in another.
   */
  detach(id: string, outside?: string): Promise<void>;
}

/** Runs in the monitor: takes connections of the published sockets to the container's ports until closed. */
export interface Publisher {
  close(): Promise<void>;
}
