// The monitor's side of published ports. The listening sockets belong to the host's network namespace, where they were
// opened; connections to the container are made here, in the container's. This process alone accepts: two event loops
// on one listening socket would both do.
import type { Published, Publisher } from './contract.ts';
import { proxyTcp } from './tcp-proxy.ts';
import { proxyUdp } from './udp-proxy.ts';

/**
 * Adopts the descriptors and takes connections until closed. `address` is the container's own: of its first network,
 * 127.0.0.1 when it is on none.
 */
export async function startPublisher(published: readonly Published[], address: string): Promise<Publisher> {
  const proxies: Publisher[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(proxies.map((proxy) => proxy.close()));
  };
  try {
    for (const { descriptor, address: from, containerPort, protocol } of published) {
      proxies.push(
        protocol === 'tcp'
          ? await proxyTcp(descriptor, address, containerPort)
          : await proxyUdp(descriptor, from, address, containerPort),
      );
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
