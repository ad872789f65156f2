// A network that is nowhere yet, or that nobody is on: its subnet is chosen where the host reaches nothing.
import { assertFree, freeSubnet, hostRoutes } from './host-routes.ts';
import { type Network, readNetworks, subnetOf } from './network-file.ts';
import { formatSubnet, overlap, parseNetworkSubnet, uplinkOf } from './subnet.ts';

export interface NewNetwork {
  name: string;
  internal: boolean;
  /** `10.20.30.0/24`; chosen when absent. */
  subnet?: string | undefined;
}

/** Not written yet. Throws USAGE for a subnet that is none or is in use, UNSUPPORTED when there is none left. */
export function newNetwork(folder: string, { name, internal, subnet }: NewNetwork): Network {
  const others = readNetworks(folder);
  if (subnet !== undefined) {
    const asked = parseNetworkSubnet(subnet);
    assertFree(asked, [
      ...hostRoutes().map((route) => ({
        what: `this host has a route to ${formatSubnet(route)}`,
        subnet: route,
      })),
      ...others.map((network) => ({
        what: `network ${network.name} has ${network.subnet}`,
        subnet: subnetOf(network),
      })),
    ]);
  }
  const chosen = subnet ?? formatSubnet(freeSubnet([...hostRoutes(), ...others.map(subnetOf)]));
  const created = new Date().toISOString();
  return { version: 1, name, internal, subnet: chosen, fixed: subnet !== undefined, created, leases: [] };
}

/** A network nobody is on, with another subnet when the host has come to reach something in its own. */
export function ready(folder: string, network: Network): Network {
  if (network.fixed) return network;
  const subnet = subnetOf(network);
  // Not the way out of its own last switch, which the kernel may not have removed yet.
  const own = uplinkOf(subnet).inside;
  const foreign = hostRoutes().filter(({ first }) => first !== own && first !== own + 1);
  if (!foreign.some((route) => overlap(route, subnet))) return network;
  const others = readNetworks(folder).filter(({ name }) => name !== network.name);
  const { last: _, ...rest } = network;
  return { ...rest, subnet: formatSubnet(freeSubnet([...foreign, ...others.map(subnetOf)])) };
}
