// Kernel settings of a container's own network namespace. OCI runtimes set them only in a namespace that they make;
// elsewhere whoever made it does.
import type { IdMapping } from './runtime-spec.ts';

/** The largest group id that ping_group_range takes. */
const LAST_GROUP = 2147483647;

/** As in Docker: everybody may bind low ports and send ICMP echo, which is why NET_RAW is not needed. Key to value. */
export function networkSysctls(gids: readonly IdMapping[]): Record<string, string> {
  let count = 0;
  for (const { containerID, size } of [...gids].sort((x, y) => x.containerID - y.containerID)) {
    if (containerID === count) count += size;
  }
  const ping = count === 0 ? undefined : `0 ${Math.min(count - 1, LAST_GROUP)}`;
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    ...(ping === undefined ? {} : { 'net.ipv4.ping_group_range': ping }),
  };
}
