// The rules of networks as nft text, pure: inside a switch, who may send what; on the host, what a way out may reach.
import { addressesOf, formatAddress, macOf, portOf, type Subnet } from './subnet.ts';

/** The bridge inside a switch's namespace, and the switch's end of the way out. */
export const BRIDGE = 'br0';
export const UPLINK = 'up0';

/** All host ends of ways out begin so. */
export const UPLINK_PREFIX = 'ocitl';

/**
 * Inside the switch. A port may only send from the hardware and IPv4 address that belong to it, and only IPv4 and ARP:
 * no spoofing, no poisoned ARP caches, no IPv6 of its own. Ports, hardware addresses and addresses all derive from one
 * another, so that the rules are written once, not for each container.
 */
export function switchRules(subnet: Subnet, egress: boolean): string {
  const sources = addressesOf(subnet).map(
    (address) => `"${portOf(address)}" . ${macOf(address)} . ${formatAddress(address)}`,
  );
  return `
table bridge ocitool {
  set sources {
    type ifname . ether_addr . ipv4_addr
    elements = { ${sources.join(', ')} }
  }
  chain prerouting {
    type filter hook prerouting priority -300; policy drop;
    ether type ip iifname . ether saddr . ip saddr @sources accept
    ether type arp iifname . ether saddr . arp saddr ip @sources iifname . arp saddr ether . arp saddr ip @sources accept
  }
}${egress ? egressRules() : ''}`;
}

/** The switch as a router: containers may begin connections, the outside may answer; the switch itself takes none. */
function egressRules(): string {
  return `
table ip ocitool {
  chain forward {
    type filter hook forward priority 0; policy drop;
    iifname "${BRIDGE}" oifname "${UPLINK}" accept
    iifname "${UPLINK}" oifname "${BRIDGE}" ct state established,related accept
    iifname "${BRIDGE}" oifname "${BRIDGE}" accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "${BRIDGE}" icmp type echo-request accept
    ct state established,related accept
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    oifname "${UPLINK}" masquerade
  }
}`;
}

/**
 * The table of a way out, on the host: nobody outside, no other network and not the host begins a connection to it, and
 * it begins none to the host. It cannot be loaded twice: to replace one, even none, the kernel waits for 15 ms.
 */
export function hostRules(uplink: string): string {
  const table = hostTable(uplink);
  return `
create table inet ${table}
table inet ${table} {
  chain forward {
    type filter hook forward priority -10; policy accept;
    oifname "${uplink}" ct state established,related accept
    oifname "${uplink}" drop
  }
  chain input {
    type filter hook input priority -10; policy accept;
    iifname "${uplink}" ct state established,related accept
    iifname "${uplink}" drop
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    iifname "${uplink}" masquerade
  }
}`;
}

export function hostTable(uplink: string): string {
  return `ocitool_${uplink}`;
}
