// Who has which address. A lease lasts as long as its container's monitor, whatever ended that.
import { statSync } from 'node:fs';
import { OciError } from '../../errors.ts';
import { isAlive } from '../processes.ts';
import { type Lease, type Network, subnetOf } from './network-file.ts';
import { addressesOf, formatAddress } from './subnet.ts';

/** The network without the leases of containers that are gone. */
export function withoutDead(network: Network): Network {
  const leases = network.leases.filter(({ monitor }) => isAlive(monitor));
  return leases.length === network.leases.length ? network : { ...network, leases };
}

/** The next free address. Throws UNSUPPORTED when the network is full. */
export function freeAddress(network: Network): string {
  const all = addressesOf(subnetOf(network)).map(formatAddress);
  const taken = new Set(network.leases.map(({ address }) => address));
  const after = network.last === undefined ? 0 : all.indexOf(network.last) + 1;
  const free = [...all.slice(after), ...all.slice(0, after)].find((address) => !taken.has(address));
  if (free !== undefined) return free;
  throw new OciError('UNSUPPORTED', `network ${network.name} has no free address`, {
    hint: 'create another network, with a larger --subnet',
  });
}

/** Where the switch's namespace can be entered, through any container that still holds it; undefined when none does. */
export function pinOf(network: Network): string | undefined {
  const namespaces = statSync('/proc/self/ns/net').dev;
  return network.leases
    .filter(({ monitor }) => isAlive(monitor))
    .map(({ monitor, pin }: Lease) => `/proc/${monitor.pid}/root${pin}`)
    .find((path) => statSync(path, { throwIfNoEntry: false })?.dev === namespaces);
}
