// The way out of a network that is not internal: a pair from its switch to the host, which masquerades. The host's own
// services stay closed to it, and so do other networks. No setting of the host is changed: where it forwards nothing,
// there is no way out.
import { createHash } from 'node:crypto';
import { hostRules, hostTable, UPLINK, UPLINK_PREFIX } from './filter.ts';
import { hasDefaultRoute, hostForwards, interfaces, readOr } from './host-routes.ts';
import { runTool, ToolError } from './ip-tools.ts';
import { formatAddress, type Subnet, uplinkOf } from './subnet.ts';

export interface Uplink {
  /** Lines for `ip -batch` inside the switch. */
  inside: readonly string[];
}

/** The host's end of a network's way out; other stores have other names. At most 15 letters (IFNAMSIZ). */
export function uplinkName(folder: string, network: string): string {
  const hash = createHash('sha256').update(`${folder}\0${network}`).digest('hex');
  return `${UPLINK_PREFIX}${hash.slice(0, 10)}`;
}

/** Why there can be no way out of this namespace; undefined when there can. */
export function noWayOut(): string | undefined {
  if (inUserNamespace()) return 'networks of a normal user have none';
  if (!hasDefaultRoute()) return 'this host has no default route';
  if (!hostForwards()) return 'this host forwards no packets; sysctl net.ipv4.ip_forward=1 allows it';
  return undefined;
}

/** Loads the host's rules, before there is anything they are for, and says what the switch must do. */
export async function prepareUplink(name: string, subnet: Subnet): Promise<Uplink> {
  // Of a switch that is gone: the kernel takes its time to remove what was in a namespace.
  if (interfaces().includes(name)) await runTool(['ip', 'link', 'del', name]).catch(ignoreFailure);
  await runTool(['nft', hostRules(name)]);
  const { inside, outside } = uplinkOf(subnet);
  return {
    inside: [
      `link add ${UPLINK} type veth peer name ${name} netns ${process.pid}`,
      `addr add ${formatAddress(inside)}/31 dev ${UPLINK}`,
      `link set ${UPLINK} addrgenmode none up`,
      `route add default via ${formatAddress(outside)}`,
    ],
  };
}

/** Takes the host's rules away; the pair goes with the switch. `outside`: a file that is the host's namespace, unless this is it. */
export async function removeUplink(name: string, outside?: string): Promise<void> {
  const inside = outside === undefined ? [] : ['nsenter', `--net=${outside}`];
  await runTool([...inside, 'nft', `delete table inet ${hostTable(name)}`]).catch(ignoreFailure);
}

function ignoreFailure(error: unknown): void {
  if (!(error instanceof ToolError)) throw error;
}

/** Root of a part of the ids only. */
function inUserNamespace(): boolean {
  return readOr('/proc/self/uid_map').trim().split(/\s+/).at(-1) !== '4294967295';
}

/** Gives the host's end its address, once the switch is there. */
export async function raiseUplink(name: string, subnet: Subnet): Promise<void> {
  await runTool(
    ['ip', '-batch', '-'],
    `addr add ${formatAddress(uplinkOf(subnet).outside)}/31 dev ${name}\nlink set ${name} addrgenmode none up\n`,
  );
}
