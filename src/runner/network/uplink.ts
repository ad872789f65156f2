// The way out of a network that is not internal: a pair from its switch to the host, which masquerades. The host's own
// services stay closed to it, and so do other networks. No setting of the host is changed: where it forwards nothing,
// there is no way out.
import { createHash } from 'node:crypto';
import { hostRules, hostTable, UPLINK_PREFIX } from './filter.ts';
import { hasDefaultRoute, hostForwards, interfaces, readOr } from './host-routes.ts';
import { withLinks } from './links.ts';
import { OWN_NAMESPACE } from './netlink.ts';
import { runTool, ToolError } from './run-tool.ts';
import { type Subnet, uplinkOf } from './subnet.ts';

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

/** Loads the host's rules, before there is anything they are for. */
export async function loadHostRules(name: string): Promise<void> {
  try {
    await runTool(['nft', hostRules(name)]);
  } catch (error) {
    if (!(error instanceof ToolError && error.message.includes('File exists'))) throw error;
    // Of containers that were all killed.
    await runTool(['nft', `delete table inet ${hostTable(name)}\n${hostRules(name)}`]);
  }
}

/** Takes away the end of a switch that is gone: the kernel takes its time to remove what was in a namespace. */
export function removeOldUplink(name: string): void {
  if (interfaces().includes(name)) withLinks(OWN_NAMESPACE, (links) => links.remove(name));
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
export function raiseUplink(name: string, subnet: Subnet): void {
  withLinks(OWN_NAMESPACE, (links) => {
    links.addAddress(name, uplinkOf(subnet).outside, 31);
    links.raise(name);
  });
}
