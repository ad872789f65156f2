// What the host already reaches, so that no network of ours hides it: read from /proc, in this process's namespace.
import { readFileSync } from 'node:fs';
import { OciError } from '../../errors.ts';
import { formatSubnet, overlap, parseAddress, type Subnet } from './subnet.ts';

/** Where subnets are chosen, of /24 each: a VPN often takes the whole of 10.0.0.0/8. Docker and podman choose elsewhere. */
const POOLS = ['10.213.0.0', '172.30.0.0', '192.168.0.0'];

/** A /24 that is in no route and no other network. Throws UNSUPPORTED when all are taken. */
export function freeSubnet(taken: readonly Subnet[]): Subnet {
  for (const pool of POOLS) {
    for (let at = 0; at < 256; at++) {
      const subnet = { first: (parseAddress(pool) ?? 0) + at * 256, prefix: 24 };
      if (!taken.some((other) => overlap(subnet, other))) return subnet;
    }
  }
  throw new OciError('UNSUPPORTED', `no free subnet left within ${POOLS.join('/16, ')}/16`, {
    hint: 'remove a network, or choose one with --subnet',
  });
}

/** Destinations of all routing tables, but those that stand for everything (0.0.0.0/0, and 0.0.0.0/1 of some VPNs). */
export function hostRoutes(): Subnet[] {
  return parseFibTrie(readOr('/proc/net/fib_trie'));
}

/** True when some IPv4 address is reached through a gateway or a device for everything. */
export function hasDefaultRoute(): boolean {
  const rows = readOr('/proc/net/route').split('\n').slice(1);
  return rows.some((row) => {
    const [, destination, , , , , , mask] = row.split('\t');
    return destination === '00000000' && mask === '00000000';
  });
}

/** True when the host forwards packets of others. */
export function hostForwards(): boolean {
  return readOr('/proc/sys/net/ipv4/ip_forward').trim() === '1';
}

/** Names of the interfaces of this process's namespace. */
export function interfaces(): string[] {
  return readOr('/proc/net/dev')
    .split('\n')
    .flatMap((line) => /^\s*([^:\s]+):/.exec(line)?.[1] ?? []);
}

/** Throws USAGE, naming what is in the way. */
export function assertFree(subnet: Subnet, others: readonly { what: string; subnet: Subnet }[]): void {
  const hit = others.find((other) => overlap(other.subnet, subnet));
  if (hit === undefined) return;
  throw new OciError('USAGE', `subnet ${formatSubnet(subnet)} is taken: ${hit.what}`, {
    hint: 'choose another --subnet, or leave the choice to ocitool',
  });
}

/** Leaves of the kernel's tries: `|-- 10.0.0.0` and, below it, a `/24 …` for each prefix. */
function parseFibTrie(text: string): Subnet[] {
  const found: Subnet[] = [];
  let first: number | undefined;
  for (const line of text.split('\n')) {
    const leaf = /^\s*\|-- (\S+)/.exec(line);
    if (leaf?.[1] !== undefined) {
      first = parseAddress(leaf[1]);
      continue;
    }
    const prefix = Number(/^\s*\/(\d+) /.exec(line)?.[1] ?? 0);
    if (prefix > 4 && first !== undefined) found.push({ first, prefix });
  }
  return found;
}

/** The file's text, empty when it cannot be read. */
export function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
