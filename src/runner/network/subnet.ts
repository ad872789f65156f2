// IPv4 arithmetic of networks, pure: CIDR text, the addresses of a subnet, what derives from an address.
import { OciError } from '../../errors.ts';

/** An IPv4 network: its first address as a number, and its prefix length. */
export interface Subnet {
  first: number;
  prefix: number;
}

/** A bridge takes no more ports (BR_MAX_PORTS is 1024), so no network needs more addresses. */
const MOST_CONTAINERS = 1000;

/** `10.0.0.0/24`; undefined when it is not one, or names an address inside it. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text);
  const first = match?.[1] === undefined ? undefined : parseAddress(match[1]);
  const prefix = Number(match?.[2]);
  if (first === undefined || prefix > 32) return undefined;
  return first % size(prefix) === 0 ? { first, prefix } : undefined;
}

/** A subnet for a network: private space, with room for some containers. Throws USAGE. */
export function parseNetworkSubnet(text: string): Subnet {
  const subnet = parseSubnet(text);
  if (subnet === undefined) {
    throw new OciError('USAGE', `--subnet ${text}: not an IPv4 network`, {
      hint: 'write it as 10.20.30.0/24, with zeros after the prefix',
    });
  }
  if (subnet.prefix < 8 || subnet.prefix > 28) {
    throw new OciError('USAGE', `--subnet ${text}: the prefix must be from /8 to /28`);
  }
  if (!PRIVATE.some((range) => contains(range, subnet))) {
    throw new OciError('USAGE', `--subnet ${text}: not a private network`, {
      hint: 'choose it within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10',
    });
  }
  return subnet;
}

const PRIVATE: readonly Subnet[] = [
  { first: 0x0a000000, prefix: 8 },
  { first: 0xac100000, prefix: 12 },
  { first: 0xc0a80000, prefix: 16 },
  { first: 0x64400000, prefix: 10 },
];

export function formatSubnet({ first, prefix }: Subnet): string {
  return `${formatAddress(first)}/${prefix}`;
}

export function parseAddress(text: string): number | undefined {
  const parts = text.split('.').map(Number);
  if (parts.length !== 4 || !parts.every((part) => Number.isInteger(part) && part >= 0 && part <= 255))
    return undefined;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return a.first < b.first + size(b.prefix) && b.first < a.first + size(a.prefix);
}

function contains(outer: Subnet, inner: Subnet): boolean {
  return inner.prefix >= outer.prefix && overlap(outer, inner);
}

/** The address of the switch itself, the way out. */
export function gatewayOf({ first }: Subnet): number {
  return first + 1;
}

/** Both ends of the pair that leads out, a /31: the switch's and the host's. No container gets them. */
export function uplinkOf({ first, prefix }: Subnet): { inside: number; outside: number } {
  const inside = first + size(prefix) - 4;
  return { inside, outside: inside + 1 };
}

/** Addresses that containers may have, in order. */
export function addressesOf(subnet: Subnet): number[] {
  const from = subnet.first + 2;
  const to = Math.min(uplinkOf(subnet).inside, from + MOST_CONTAINERS);
  return Array.from({ length: to - from }, (_, at) => from + at);
}

/** A container's hardware address: locally administered, one for each IPv4 address. */
export function macOf(address: number): string {
  const hex = [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, '0'));
  return ['02', '6f', ...hex].join(':');
}

/** The switch's end of a container's pair. */
export function portOf(address: number): string {
  return `p${address.toString(16).padStart(8, '0')}`;
}

function size(prefix: number): number {
  return 2 ** (32 - prefix);
}
