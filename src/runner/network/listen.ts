// Opens the host's side of published ports, before anything of the container runs.
import { closeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { OciError } from '../../errors.ts';
import type { PortRequest } from '../spec/run-request.ts';
import type { Published } from './contract.ts';
import { holderOf } from './port-holder.ts';
import { sockets } from './sockets.ts';

/**
 * Sockets for `ports`, in the namespace of the caller, who passes the descriptors to the monitor (they are closed by
 * exec unless named in `stdio`) and closes its own. Port 0 becomes the port the kernel chose. All or none.
 * Throws PORT_TAKEN with who has it, PERMISSION, USAGE, UNSUPPORTED.
 */
export function listen(ports: readonly PortRequest[]): Published[] {
  const opened: Published[] = [];
  try {
    for (const port of ports) opened.push(listenOn(port));
    return opened;
  } catch (error) {
    stopListening(opened);
    throw error;
  }
}

/** Closes this process's descriptors. */
export function stopListening(published: readonly Published[]): void {
  for (const { descriptor } of published) closeSync(descriptor);
}

function listenOn(port: PortRequest): Published {
  const { address, hostPort, protocol } = port;
  const descriptor = sockets().open(address, hostPort, protocol);
  if (descriptor >= 0) {
    return { ...port, hostPort: hostPort === 0 ? sockets().portOf(descriptor) : hostPort, descriptor };
  }
  throw listenError(port, getSystemErrorName(descriptor));
}

function listenError({ address, hostPort, protocol }: PortRequest, code: string): OciError {
  const what = `port ${address.includes(':') ? `[${address}]` : address}:${hostPort}/${protocol}`;
  switch (code) {
    case 'EADDRINUSE': {
      const holder = holderOf(hostPort, protocol);
      return new OciError('PORT_TAKEN', `${what} is taken${holder === undefined ? '' : ` by ${holder}`}`, {
        hint: 'publish on another port; port 0 lets the system choose',
      });
    }
    case 'EACCES':
      return new OciError('PERMISSION', `${what}: permission denied`, {
        hint: 'ports below net.ipv4.ip_unprivileged_port_start (1024) need root',
      });
    case 'EADDRNOTAVAIL':
      return new OciError('USAGE', `${what}: this machine has no such address`);
    case 'EINVAL':
      return new OciError('USAGE', `${what}: ${address} is not an IP address`);
    default:
      return new OciError('IO', `${what}: ${code}`);
  }
}
