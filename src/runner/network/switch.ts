// A network's switch: a bridge in a network namespace of its own, which nothing but its containers can reach. There is
// no process in it. It is mounted on a file in the mount namespace of each container on the network, so that it lives
// exactly as long as one of them, however they end.
import { closeSync, openSync } from 'node:fs';
import { BRIDGE, switchRules } from './filter.ts';
import { runTool, ToolError } from './ip-tools.ts';
import { formatAddress, gatewayOf, macOf, portOf, type Subnet } from './subnet.ts';
import type { Uplink } from './uplink.ts';

/** A container's cable: from the switch's port to `device` in the namespace of `pid`. */
export interface Cable {
  pid: number;
  address: number;
  device: string;
  /** The file that is to hold the switch's namespace. */
  pin: string;
}

/** `$1` are the rules, `$2` is 1 where the switch routes. The container's cable is laid after the rules are there. */
const CREATE = `nft "$1" && { [ -z "$2" ] || echo 1 > /proc/sys/net/ipv4/ip_forward; } && exec ip -batch -`;
const JOIN = `mount --bind /proc/self/ns/net "$1" && exec ip -batch -`;

/** Makes a switch, with the first container on it. */
export async function createSwitch(subnet: Subnet, cable: Cable, uplink: Uplink | undefined): Promise<void> {
  makeFile(cable.pin);
  await runTool(
    [
      ...['nsenter', '--target', `${cable.pid}`, '--mount', 'unshare', `--net=${cable.pin}`],
      ...[
        'sh',
        '-c',
        CREATE,
        'sh',
        switchRules(subnet, uplink !== undefined),
        uplink === undefined ? '' : '1',
      ],
    ],
    [
      `link add ${BRIDGE} type bridge`,
      `link set ${BRIDGE} addrgenmode none up`,
      ...(uplink === undefined
        ? []
        : [`addr add ${formatAddress(gatewayOf(subnet))}/${subnet.prefix} dev ${BRIDGE}`, ...uplink.inside]),
      ...laid(cable),
      '',
    ].join('\n'),
  );
}

/** Connects a further container. `through` is a file that is the switch's namespace. */
export async function joinSwitch(through: string, cable: Cable): Promise<void> {
  makeFile(cable.pin);
  const join = (lines: readonly string[]): Promise<void> =>
    runTool(
      [
        ...['nsenter', `--net=${through}`, '--target', `${cable.pid}`, '--mount'],
        ...['sh', '-c', JOIN, 'sh', cable.pin],
      ],
      `${lines.join('\n')}\n`,
    );
  try {
    await join(laid(cable));
  } catch (error) {
    if (!(error instanceof ToolError && error.message.includes('File exists'))) throw error;
    // The last owner of the address is gone but its cable not yet, or it outlived its monitor: it is cut off.
    await join([`link del ${portOf(cable.address)}`, ...laid(cable)]);
  }
}

/** Gives the container's end its addresses, once all its cables are there. `way`: the address of the way out. */
export function configure(
  pid: number,
  ends: readonly { device: string; address: number; prefix: number }[],
  way?: number,
): Promise<void> {
  const lines = [
    'link set lo up',
    ...ends.flatMap(({ device, address, prefix }) => [
      `addr add ${formatAddress(address)}/${prefix} dev ${device}`,
      `link set ${device} addrgenmode none up`,
    ]),
    ...(way === undefined ? [] : [`route add default via ${formatAddress(way)}`]),
  ];
  return runTool(['nsenter', '--target', `${pid}`, '--net', 'ip', '-batch', '-'], `${lines.join('\n')}\n`);
}

function laid({ pid, address, device }: Cable): string[] {
  const port = portOf(address);
  return [
    `link add ${port} type veth peer name ${device} address ${macOf(address)} netns ${pid}`,
    `link set ${port} master ${BRIDGE} addrgenmode none up`,
  ];
}

function makeFile(path: string): void {
  closeSync(openSync(path, 'w', 0o600));
}
