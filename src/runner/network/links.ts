// The links, addresses and routes of a network namespace: what `ip link`, `ip addr` and `ip route` do, where networks
// need it. Layouts and numbers are those of the kernel's linux/rtnetlink.h, if_link.h and if_addr.h.
import {
  attribute,
  NetlinkError,
  nested,
  openRouteSocket,
  type RouteSocket,
  withNamespace,
} from './netlink.ts';

export interface Links {
  addBridge(name: string): void;
  /** A veth pair: one end here, the other in the namespace that the file `namespace` is. Throws NetlinkError EEXIST. */
  addPair(end: string, other: { name: string; namespace: string; mac?: string }): void;
  /** Up, with no IPv6 address of its own; as a port of `bridge`, if given. */
  raise(name: string, bridge?: string): void;
  /** IPv4. */
  addAddress(name: string, address: number, prefix: number): void;
  addDefaultRoute(gateway: number): void;
  /** With its other end; nothing when there is none. */
  remove(name: string): void;
}

const NEWLINK = 16;
const DELLINK = 17;
const GETLINK = 18;
const NEWADDR = 20;
const NEWROUTE = 24;
/** NLM_F_CREATE | NLM_F_EXCL */
const CREATE = 0x600;

const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_AF_SPEC = 26;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFLA_NET_NS_FD = 28;
const IFF_UP = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

const AF_INET = 2;
const AF_INET6 = 10;

/** Calls `action` with the links of the namespace that the file `path` is. Throws UNSUPPORTED, NetlinkError. */
export function withLinks<T>(path: string, action: (links: Links) => T): T {
  const socket = openRouteSocket(path);
  try {
    return action(linksOf(socket));
  } finally {
    socket.close();
  }
}

function linksOf({ request }: RouteSocket): Links {
  function indexOf(name: string): number {
    const found = request(`link ${name}`, GETLINK, 0, link({}, text(IFLA_IFNAME, name)));
    // struct ifinfomsg: family, type, index.
    return found?.readInt32LE(4) ?? 0;
  }
  function change(name: string, flags: { up?: boolean }, ...attributes: Uint8Array[]): void {
    request(`link ${name}`, NEWLINK, 0, link(flags, text(IFLA_IFNAME, name), ...attributes));
  }
  return {
    addBridge(name) {
      request(`bridge ${name}`, NEWLINK, CREATE, link({}, text(IFLA_IFNAME, name), kind('bridge')));
    },
    addPair(end, { name, namespace, mac }) {
      const address =
        mac === undefined ? [] : [attribute(IFLA_ADDRESS, Buffer.from(mac.replaceAll(':', ''), 'hex'))];
      withNamespace(namespace, (descriptor) => {
        const other = link({}, text(IFLA_IFNAME, name), ...address, number(IFLA_NET_NS_FD, descriptor));
        const veth = kind('veth', attribute(VETH_INFO_PEER, other));
        request(`link ${end}`, NEWLINK, CREATE, link({}, text(IFLA_IFNAME, end), veth));
      });
    },
    raise(name, bridge) {
      const master = bridge === undefined ? [] : [number(IFLA_MASTER, indexOf(bridge))];
      // Before it is up: with it would be after it, when there is an address already.
      const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE));
      ignoring('EAFNOSUPPORT', () => change(name, {}, nested(IFLA_AF_SPEC, nested(AF_INET6, mode))));
      change(name, { up: true }, ...master);
    },
    addAddress(name, address, prefix) {
      const body = Buffer.alloc(8);
      body.writeUInt8(AF_INET, 0);
      body.writeUInt8(prefix, 1);
      body.writeUInt32LE(indexOf(name), 4);
      const own = [attribute(IFA_LOCAL, ipv4(address)), attribute(IFA_ADDRESS, ipv4(address))];
      request(`address of ${name}`, NEWADDR, CREATE, Buffer.concat([body, ...own]));
    },
    addDefaultRoute(gateway) {
      // struct rtmsg: family, lengths, tos, table, protocol, scope, type, flags.
      const body = Buffer.from([AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0]);
      request(
        'default route',
        NEWROUTE,
        CREATE,
        Buffer.concat([body, attribute(RTA_GATEWAY, ipv4(gateway))]),
      );
    },
    remove(name) {
      ignoring('ENODEV', () => request(`link ${name}`, DELLINK, 0, link({}, text(IFLA_IFNAME, name))));
    },
  };
}

/** struct ifinfomsg (family, type, index, flags, which of them to change) and attributes. */
function link({ up = false }: { up?: boolean }, ...attributes: Uint8Array[]): Uint8Array {
  const body = Buffer.alloc(16);
  if (up) {
    body.writeUInt32LE(IFF_UP, 8);
    body.writeUInt32LE(IFF_UP, 12);
  }
  return Buffer.concat([body, ...attributes]);
}

function kind(name: string, ...data: Uint8Array[]): Uint8Array {
  const more = data.length === 0 ? [] : [nested(IFLA_INFO_DATA, ...data)];
  return nested(IFLA_LINKINFO, text(IFLA_INFO_KIND, name), ...more);
}

function text(type: number, value: string): Uint8Array {
  return attribute(type, Buffer.from(`${value}\0`));
}

function number(type: number, value: number): Uint8Array {
  const made = Buffer.alloc(4);
  made.writeUInt32LE(value);
  return attribute(type, made);
}

function ipv4(address: number): Uint8Array {
  const made = Buffer.alloc(4);
  made.writeUInt32BE(address);
  return made;
}

function ignoring(code: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof NetlinkError && error.code === code)) throw error;
  }
}
