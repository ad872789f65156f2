// Connects containers and keeps the records of networks right: leases, switches, names. One lock for all networks of a
// store, since a container's names come from every network it is on.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { OciError } from '../../errors.ts';
import { bothDone } from '../both-done.ts';
import type { Attachment } from '../container.ts';
import type { Attached, Joining, Networks } from './contract.ts';
import { freeAddress, pinOf, withoutDead } from './leases.ts';
import { hostsOfHost, hostsText, namesOf, resolvOfHost, rewrite } from './name-files.ts';
import {
  type Lease,
  type Network,
  noSuchNetwork,
  readNetwork,
  readNetworks,
  subnetOf,
  withNetworks,
  writeNetwork,
} from './network-file.ts';
import { newNetwork, ready } from './new-network.ts';
import { networkError } from './run-tool.ts';
import { gatewayOf, macOf, parseAddress } from './subnet.ts';
import { type Cable, configure, createSwitch, joinSwitch, layBridge } from './switch.ts';
import { tellNames } from './tell-names.ts';
import { loadHostRules, noWayOut, raiseUplink, removeOldUplink, removeUplink, uplinkName } from './uplink.ts';

/** The network of containers that ask for none; made when first needed. */
export const DEFAULT_NETWORK = 'bridge';

/** The networks kept in `folder`. */
export function createNetworks(folder: string): Networks {
  return {
    attach: (container) => attach(folder, container),
    detach: (id, outside) => detach(folder, id, outside),
  };
}

async function attach(folder: string, container: Joining): Promise<Attached> {
  const { paths } = container;
  const names = networksOf(container.request.networks);
  if (names === 'host') {
    rewrite(paths.hosts, hostsOfHost());
    rewrite(paths.resolv, resolvOfHost('host'));
    return { attachments: [], notes: [] };
  }
  if (names === 'none') {
    rewrite(paths.hosts, hostsText([{ address: '127.0.0.1', names: namesOf(container, true) }]));
    rewrite(paths.resolv, '');
    return { attachments: [], notes: [] };
  }
  return withNetworks(folder, async () => {
    const networks = names.map((name) => find(folder, name));
    try {
      return await connect(folder, container, networks);
    } catch (error) {
      await release(folder, container.id);
      throw error;
    }
  });
}

/** `--network` in one of its three meanings; `front,back` is two names. Throws USAGE. */
export function networksOf(asked: readonly string[]): 'none' | 'host' | readonly string[] {
  const names = [
    ...new Set(asked.length === 0 ? [DEFAULT_NETWORK] : asked.flatMap((text) => text.split(','))),
  ];
  const special = names.find((name) => name === 'none' || name === 'host');
  if (special === undefined) return names;
  if (names.length > 1) {
    throw new OciError('USAGE', `--network ${special} goes with no other network`);
  }
  return special === 'none' ? 'none' : 'host';
}

async function connect(folder: string, container: Joining, found: readonly Network[]): Promise<Attached> {
  const { id, name, monitor, paths } = container;
  const { hostname } = container.request;
  const notes: string[] = [];
  const ends: { device: string; address: number; prefix: number }[] = [];
  const attachments: Attachment[] = [];
  let way: number | undefined;

  for (const [at, before] of found.entries()) {
    const network = before.leases.length === 0 ? ready(folder, before) : before;
    const address = freeAddress(network);
    const subnet = subnetOf(network);
    const device = `eth${at}`;
    const pin = join(paths.folder, `switch-${at}`);
    const lease: Lease = { id, name, address, monitor, pin, hosts: paths.hosts };
    if (hostname !== undefined) lease.hostname = hostname;
    const through = pinOf(network);
    const joined = { ...network, last: address, leases: [...network.leases, lease] };
    // Before there is anything to free, so that whatever ends this process, somebody knows.
    writeNetwork(folder, joined);

    const numeric = parseAddress(address) ?? 0;
    const cable: Cable = {
      pid: monitor.pid,
      address: numeric,
      device,
      pin,
    };
    try {
      const routed =
        through === undefined ? await begin(folder, joined, cable, notes) : network.uplink === true;
      if (through !== undefined) await joinSwitch(through, cable);
      if (routed) way ??= gatewayOf(subnet);
    } catch (error) {
      throw networkError(error, network.name);
    }
    ends.push({ device, address: numeric, prefix: subnet.prefix });
    attachments.push({
      network: network.name,
      address: `${address}/${subnet.prefix}`,
      mac: macOf(numeric),
      device,
    });
  }
  try {
    configure(monitor.pid, ends, way);
  } catch (error) {
    throw networkError(error, 'of the container');
  }
  rewrite(paths.resolv, way === undefined ? '' : resolvOfHost('outside'));
  tellNames(
    folder,
    found.map((network) => network.name),
  );
  return { attachments, notes };
}

/** A switch for a network that has none. True when it has a way out. */
async function begin(folder: string, network: Network, cable: Cable, notes: string[]): Promise<boolean> {
  const subnet = subnetOf(network);
  const reason = network.internal ? 'it is internal' : noWayOut();
  if (reason !== undefined) {
    await dropUplink(folder, network);
    if (!network.internal && network.told !== reason) {
      notes.push(`no way out of network ${network.name}: ${reason}`);
      const { uplink: _, ...rest } = network;
      writeNetwork(folder, { ...rest, told: reason });
    }
    await createSwitch(subnet, cable, false);
    layBridge(subnet, cable, undefined);
    return false;
  }
  const name = uplinkName(folder, network.name);
  const { told: _, ...rest } = network;
  writeNetwork(folder, { ...rest, uplink: true });
  removeOldUplink(name);
  await bothDone(loadHostRules(name), createSwitch(subnet, cable, true));
  layBridge(subnet, cable, name);
  raiseUplink(name, subnet);
  return true;
}

/** The network without its dead. Throws NETWORK_NOT_FOUND. */
function find(folder: string, name: string): Network {
  const network = readNetwork(folder, name);
  if (network !== undefined) return withoutDead(network);
  if (name !== DEFAULT_NETWORK) throw noSuchNetwork(name);
  return newNetwork(folder, { name, internal: false });
}

function detach(folder: string, id: string, outside?: string): Promise<void> {
  return existsSync(folder) ? withNetworks(folder, () => release(folder, id, outside)) : Promise.resolve();
}

/** Takes a container, and all that are dead, off all networks. `outside`: see `Networks.detach`. */
async function release(folder: string, id: string, outside?: string): Promise<void> {
  const changed: string[] = [];
  for (const network of readNetworks(folder)) {
    const leases = withoutDead(network).leases.filter((lease) => lease.id !== id);
    if (leases.length === network.leases.length) continue;
    writeNetwork(folder, { ...network, leases });
    changed.push(network.name);
    if (leases.length > 0) continue;
    await dropUplink(folder, { ...network, leases }, outside);
  }
  tellNames(folder, changed);
}

/** The host's rules go with the last container. */
async function dropUplink(folder: string, network: Network, outside?: string): Promise<void> {
  if (network.uplink !== true) return;
  await removeUplink(uplinkName(folder, network.name), outside);
  const { uplink: _, ...rest } = network;
  writeNetwork(folder, rest);
}
