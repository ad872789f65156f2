// What `network create`, `ls` and `rm` do: to records only, since a switch exists as long as containers are on it.
import { OciError } from '../../errors.ts';
import { isAlive } from '../processes.ts';
import {
  assertNetworkName,
  type Network,
  readNetwork,
  readNetworks,
  removeNetworkFile,
  SPECIAL_NETWORKS,
  withNetworks,
  writeNetwork,
} from './network-file.ts';
import { type NewNetwork, newNetwork } from './new-network.ts';
import { removeUplink, uplinkName } from './uplink.ts';

/** A network as people see it. */
export interface NetworkInfo {
  name: string;
  internal: boolean;
  /** `10.213.0.0/24`. */
  subnet: string;
  /** ISO 8601. */
  created: string;
  containers: { id: string; name: string; address: string }[];
}

/** Throws NAME_TAKEN, USAGE, UNSUPPORTED, PERMISSION. */
export function createNetwork(folder: string, options: NewNetwork): Promise<NetworkInfo> {
  const { name } = options;
  assertNetworkName(name);
  if (SPECIAL_NETWORKS.includes(name)) {
    throw new OciError(
      'NAME_TAKEN',
      `${name} is not a name for a network: --network ${name} means something else`,
    );
  }
  return withNetworks(folder, async () => {
    if (readNetwork(folder, name) !== undefined) {
      throw new OciError('NAME_TAKEN', `there is a network named ${name} already`, {
        hint: `ocitool network rm ${name} removes it`,
      });
    }
    const network = newNetwork(folder, options);
    writeNetwork(folder, network);
    return infoOf(network);
  });
}

/** All networks by name. `bridge` is among them once it was needed. */
export function listNetworks(folder: string): NetworkInfo[] {
  return readNetworks(folder).map(infoOf);
}

/** Throws NETWORK_NOT_FOUND, and NAME_TAKEN while containers are on it. */
export function removeNetwork(folder: string, name: string): Promise<void> {
  assertNetworkName(name);
  return withNetworks(folder, async () => {
    const network = readNetwork(folder, name);
    if (network === undefined) {
      throw new OciError('NETWORK_NOT_FOUND', `no network named ${name}`, {
        hint: 'ocitool network ls lists them',
      });
    }
    const { containers } = infoOf(network);
    if (containers.length > 0) {
      const names = containers.map((container) => container.name);
      throw new OciError('NAME_TAKEN', `network ${name} is used by ${names.join(', ')}`, {
        hint: `ocitool rm -f ${names.join(' ')}`,
      });
    }
    if (network.uplink === true) await removeUplink(uplinkName(folder, name));
    removeNetworkFile(folder, name);
  });
}

function infoOf({ name, internal, subnet, created, leases }: Network): NetworkInfo {
  const containers = leases
    .filter(({ monitor }) => isAlive(monitor))
    .map((lease) => ({ id: lease.id, name: lease.name, address: lease.address }));
  return { name, internal, subnet, created, containers };
}
