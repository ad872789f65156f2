// Which network a host is on, as far as its text or an address tells: a registry's answers must not steer us from the
// internet into a private network or to a cloud's metadata service.
import { BlockList, isIP } from 'node:net';

export type AddressKind = 'loopback' | 'link-local' | 'private' | 'public';

const KINDS = {
  // "This host" addresses reach loopback services.
  loopback: ['127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
  // With the shared range of RFC 6598, which clouds use for internal services.
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7'],
} satisfies Partial<Record<AddressKind, string[]>>;

const LISTS = Object.entries(KINDS).map(([kind, ranges]) => {
  const list = new BlockList();
  for (const range of ranges) {
    const [network, bits] = range.split('/') as [string, string];
    list.addSubnet(network, Number(bits), network.includes(':') ? 'ipv6' : 'ipv4');
  }
  return { kind: kind as AddressKind, list };
});

/** The kind of an IP address or host name (`URL.hostname` form). Names other than localhost count as public. */
export function addressKind(hostname: string): AddressKind {
  const host = hostname
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase();
  if (host === 'localhost' || host.endsWith('.localhost')) return 'loopback';
  const version = isIP(host);
  if (version === 0) return 'public';
  // BlockList also finds IPv4 addresses mapped into IPv6.
  return LISTS.find(({ list }) => list.check(host, version === 6 ? 'ipv6' : 'ipv4'))?.kind ?? 'public';
}
