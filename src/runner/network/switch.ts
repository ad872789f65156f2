// A network's switch: a bridge in a network namespace of its own, which nothing but its containers can reach. There is
// no process in it. It is mounted on a file in the mount namespace of each container on the network, so that it lives
// exactly as long as one of them, however they end.
import { closeSync, openSync } from 'node:fs';
import { BRIDGE, switchRules } from './filter.ts';
import { networkError, runTool, ToolError } from './ip-tools.ts';
import { formatAddress, gatewayOf, macOf, portOf, type Subnet } from './subnet.ts';
import type { Uplink } from './uplink.ts';

/** A container's cable: from the switch's port to `device` in the namespace of `pid`. */
export interface Cable {
  pid: number;
  address: number;
  device: string;
  /** The file that is to hold the switch's namespace. */
  pin: string;
  /** The file that is to hold the host's, where there is a way out. */
  outside: string;
}

/**
 * `$1`: the rules, which stand before anybody is connected. `$2`, where there is a way out: the file for the host's
 * namespace, `$3`: a process in that.
 */
const CREATE = `nft "$1" && if [ "$2" ]; then
  echo 1 > /proc/sys/net/ipv4/ip_forward && mount --bind "/proc/$3/ns/net" "$2"
fi && exec ip -batch -`;

/** `$1`: the file for the switch's namespace. The others as above. */
const JOIN = `mount --bind /proc/self/ns/net "$1" && if [ "$2" ]; then
  mount --bind "/proc/$3/ns/net" "$2"
fi && exec ip -batch -`;

/** Makes a switch, with the first container on it. */
export async function createSwitch(subnet: Subnet, cable: Cable, uplink: Uplink | undefined): Promise<void> {
  const routed = uplink !== undefined;
  makeFile(cable.pin);
  const outside = outsideOf(cable, routed);
  await runTool(
    [
      ...['nsenter', '--target', `${cable.pid}`, '--mount', 'unshare', `--net=${cable.pin}`],
      ...['sh', '-c', CREATE, 'sh', switchRules(subnet, routed), ...outside],
    ],
    lines([
      `link add ${BRIDGE} type bridge`,
      `link set ${BRIDGE} addrgenmode none up`,
      ...(routed ? [`addr add ${formatAddress(gatewayOf(subnet))}/${subnet.prefix} dev ${BRIDGE}`] : []),
      ...(uplink?.inside ?? []),
      ...laid(cable),
    ]),
  );
}

/** Connects a further container. `through` is a file that is the switch's namespace; `routed`: it has a way out. */
export async function joinSwitch(through: string, cable: Cable, routed: boolean): Promise<void> {
  makeFile(cable.pin);
  const outside = outsideOf(cable, routed);
  const inSwitch = ['nsenter', `--net=${through}`];
  const join = ['--target', `${cable.pid}`, '--mount', 'sh', '-c', JOIN, 'sh', cable.pin, ...outside];
  try {
    await runTool([...inSwitch, ...join], lines(laid(cable)));
  } catch (error) {
    if (!(error instanceof ToolError && error.message.includes('File exists'))) throw error;
    // The last owner of the address is gone but its cable not yet, or it outlived its monitor: it is cut off.
    await runTool(
      [...inSwitch, 'ip', '-batch', '-'],
      lines([`link del ${portOf(cable.address)}`, ...laid(cable)]),
    );
  }
}

/** The last arguments of both scripts. */
function outsideOf({ outside }: Cable, routed: boolean): string[] {
  if (!routed) return ['', ''];
  makeFile(outside);
  return [outside, `${process.pid}`];
}

/** Gives the container's end its addresses, once all its cables are there. `way`: the address of the way out. */
export function configure(
  pid: number,
  ends: readonly { device: string; address: number; prefix: number }[],
  way?: number,
): Promise<void> {
  const commands = [
    'link set lo up',
    ...ends.flatMap(({ device, address, prefix }) => [
      `addr add ${formatAddress(address)}/${prefix} dev ${device}`,
      `link set ${device} addrgenmode none up`,
    ]),
    ...(way === undefined ? [] : [`route add default via ${formatAddress(way)}`]),
  ];
  const batch = ['nsenter', '--target', `${pid}`, '--net', 'ip', '-batch', '-'];
  return runTool(batch, lines(commands)).catch((error: unknown) => {
    throw networkError(error, 'of the container');
  });
}

function laid({ pid, address, device }: Cable): string[] {
  const port = portOf(address);
  return [
    `link add ${port} type veth peer name ${device} address ${macOf(address)} netns ${pid}`,
    `link set ${port} master ${BRIDGE} addrgenmode none up`,
  ];
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}

function makeFile(path: string): void {
  closeSync(openSync(path, 'w', 0o600));
}
