// What the life of a container asks of its networks. The monitor has a network namespace of its own before anything
// here is called, except with `--network host`. All of it dies with that namespace; nothing else must be left behind
// but leases, which are freed by whoever finds their container gone.
import type { Attachment, ContainerPaths } from '../container.ts';
import type { PortRequest, RunRequest } from '../spec/run-request.ts';

/** A listening socket of the host, opened before the container starts so that a taken port is told at once. */
export interface Published extends PortRequest {
  /** An inherited descriptor: of the listening TCP socket, or of the bound UDP one. */
  descriptor: number;
}

export interface Networks {
  /** Opens what `-p` asks for, in the namespace where the user is. Throws PORT_TAKEN, PERMISSION. */
  listen(ports: readonly PortRequest[]): Promise<Published[]>;
  /**
   * Connects a waiting monitor to the networks asked for: bridges, veth pairs, addresses, firewall, /etc/hosts of
   * everybody concerned. Throws NETWORK_NOT_FOUND, PERMISSION, UNSUPPORTED.
   */
  attach(container: {
    id: string;
    name: string;
    paths: ContainerPaths;
    request: RunRequest;
    /** A process in the namespace to connect. */
    pid: number;
  }): Promise<Attachment[]>;
  /** Frees leases and names; harmless when done already. */
  detach(id: string): Promise<void>;
}

/** Runs in the monitor: takes connections of the published sockets to the container's ports until closed. */
export interface Publisher {
  close(): Promise<void>;
}
