// Who is who: /etc/hosts of containers that share a network, written anew when one comes or goes.
import { withoutDead } from './leases.ts';
import { hostsText, namesOf, rewrite } from './name-files.ts';
import { readNetworks } from './network-file.ts';

/** Writes /etc/hosts of everybody on the networks named: all they share a network with. */
export function tellNames(folder: string, changed: readonly string[]): void {
  const networks = readNetworks(folder).map(withoutDead);
  const concerned = networks.filter(({ name }) => changed.includes(name)).flatMap(({ leases }) => leases);
  for (const { id, hosts } of new Map(concerned.map((lease) => [lease.id, lease])).values()) {
    const mine = networks.filter(({ leases }) => leases.some((lease) => lease.id === id));
    const leases = mine.flatMap((network) => network.leases);
    const lines = [
      ...leases
        .filter((lease) => lease.id === id)
        .map((lease) => ({ address: lease.address, names: namesOf(lease, true) })),
      ...leases
        .filter((lease) => lease.id !== id)
        .map((lease) => ({ address: lease.address, names: namesOf(lease, false) })),
    ];
    try {
      rewrite(hosts, hostsText(lines));
    } catch {
      // Its folder is being removed.
    }
  }
}
