// The loopback and the settings of a container's network namespace, which the monitor was born in: OCI runtimes refuse to
// make settings in a namespace that is not their own.
import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { libc } from './libc.ts';
import { parseIdMap } from './spec/host-facts.ts';
import { networkSysctls } from './spec/sysctls.ts';

/** Nothing with `--network host`, where the namespace is that of the process's parent. */
export function settleNetwork(): void {
  if (readlinkSync('/proc/self/ns/net') === readlinkSync(`/proc/${process.ppid}/ns/net`)) return;
  libc().raiseLoopback();
  const gids = parseIdMap(readFileSync('/proc/self/gid_map', 'utf8'));
  for (const [name, value] of Object.entries(networkSysctls(gids))) {
    try {
      writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, value);
    } catch {
      // A kernel without it, or a /proc that is read-only: low ports and ping need root inside then, as they always did.
    }
  }
}
