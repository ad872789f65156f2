// A network's switch: a bridge in a network namespace of its own, which nothing but its containers can reach. There is
// no process in it. It is mounted on a file in the mount namespace of each container on the network, so that it lives
// exactly as long as one of them, however they end.
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { bothDone } from '../both-done.ts';
import { BRIDGE, switchRules, UPLINK } from './filter.ts';
import { type Links, withLinks } from './links.ts';
import { insideNamespace, NetlinkError, OWN_NAMESPACE, prepareNetlink } from './netlink.ts';
import { runTool } from './run-tool.ts';
import { gatewayOf, macOf, portOf, type Subnet, uplinkOf } from './subnet.ts';

/** A container's cable: from the switch's port to `device` in the namespace of `pid`. */
export interface Cable {
  pid: number;
  address: number;
  device: string;
  /** The file that is to hold the switch's namespace. */
  pin: string;
}

/** A switch's namespace, held by the first container on it; its rules stand before anybody is connected. */
export async function createSwitch(subnet: Subnet, { pid, pin }: Cable, routed: boolean): Promise<void> {
  makeFile(pin);
  const inNew = ['nsenter', '--target', `${pid}`, '--mount', 'unshare', `--net=${pin}`];
  await bothDone(runTool([...inNew, 'nft', switchRules(subnet, routed)]), prepareNetlink());
}

/** The bridge, with the first container on it. `uplink`: the name of the way out's other end, which is in this namespace. */
export function layBridge(subnet: Subnet, cable: Cable, uplink: string | undefined): void {
  const file = namespaceOf(cable);
  withLinks(file, (links) => {
    links.addBridge(BRIDGE);
    links.raise(BRIDGE);
    if (uplink !== undefined) {
      links.addAddress(BRIDGE, gatewayOf(subnet), subnet.prefix);
      const { inside, outside } = uplinkOf(subnet);
      links.addPair(UPLINK, { name: uplink, namespace: OWN_NAMESPACE });
      links.addAddress(UPLINK, inside, 31);
      links.raise(UPLINK);
      links.addDefaultRoute(outside);
    }
    lay(links, cable);
  });
  // A setting of the switch's namespace.
  if (uplink !== undefined) insideNamespace(file, () => writeFileSync('/proc/sys/net/ipv4/ip_forward', '1'));
}

/** Connects a further container. `through` is a file that is the switch's namespace. */
export async function joinSwitch(through: string, cable: Cable): Promise<void> {
  const { pid, pin, address } = cable;
  makeFile(pin);
  await runTool([
    ...['nsenter', `--net=${through}`, '--target', `${pid}`, '--mount'],
    ...['mount', '--bind', '/proc/self/ns/net', pin],
  ]);
  // Not by `through`: whoever held that may have gone since.
  withLinks(namespaceOf(cable), (links) => {
    try {
      lay(links, cable);
    } catch (error) {
      if (!(error instanceof NetlinkError && error.code === 'EEXIST')) throw error;
      // The last owner of the address is gone but its cable not yet, or it outlived its monitor: it is cut off.
      links.remove(portOf(address));
      lay(links, cable);
    }
  });
}

/** Brings up the container's loopback and its ends, once all its cables are there. `way`: the address of the way out. */
export function configure(
  pid: number,
  ends: readonly { device: string; address: number; prefix: number }[],
  way?: number,
): void {
  withLinks(`/proc/${pid}/ns/net`, (links) => {
    links.raise('lo');
    for (const { device, address, prefix } of ends) {
      links.addAddress(device, address, prefix);
      links.raise(device);
    }
    if (way !== undefined) links.addDefaultRoute(way);
  });
}

function lay(links: Links, { pid, address, device }: Cable): void {
  const port = portOf(address);
  links.addPair(port, { name: device, namespace: `/proc/${pid}/ns/net`, mac: macOf(address) });
  links.raise(port, BRIDGE);
}

function namespaceOf({ pid, pin }: Cable): string {
  return `/proc/${pid}/root${pin}`;
}

function makeFile(path: string): void {
  closeSync(openSync(path, 'w', 0o600));
}
