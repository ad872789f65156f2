// Limits of a container: cgroup resources and rlimits, from flags to the runtime spec.
import { OciError } from '../../errors.ts';
import { deviceRules } from './devices.ts';
import { type HostFacts, UNLIMITED } from './host-facts.ts';
import type { RunRequest } from './run-request.ts';
import type { Resources, Rlimit } from './runtime-spec.ts';

/** Enough for any server, too few for a fork bomb to take the machine. `--pids-limit -1` lifts it. */
const DEFAULT_PIDS = 2048;
/** Microseconds; the kernel's default, and Docker's for --cpus. */
const CPU_PERIOD = 100_000;

/** The cgroup's settings. `swap`: whether the machine accounts for swap, so that memory and swap can be limited together. */
export function resourcesOf(
  request: Pick<RunRequest, 'memory' | 'cpus' | 'pidsLimit'>,
  facts: { swap: boolean; rootless: boolean },
): Resources {
  const resources: Resources = {};
  if (request.memory !== undefined) {
    // As Docker has it: as much swap again as memory.
    resources.memory = { limit: request.memory, ...(facts.swap ? { swap: request.memory * 2 } : {}) };
  }
  if (request.cpus !== undefined) {
    resources.cpu = { quota: Math.max(1000, Math.round(request.cpus * CPU_PERIOD)), period: CPU_PERIOD };
  }
  const pids = request.pidsLimit ?? DEFAULT_PIDS;
  if (pids > 0) resources.pids = { limit: pids };
  // A user namespace has no say over devices: mknod is refused there anyway.
  if (!facts.rootless) resources.devices = deviceRules();
  return resources;
}

/** What --ulimit may be called, as in ulimit(1) and Docker. */
export const ULIMITS: Readonly<Record<string, string>> = {
  as: 'RLIMIT_AS',
  core: 'RLIMIT_CORE',
  cpu: 'RLIMIT_CPU',
  data: 'RLIMIT_DATA',
  fsize: 'RLIMIT_FSIZE',
  locks: 'RLIMIT_LOCKS',
  memlock: 'RLIMIT_MEMLOCK',
  msgqueue: 'RLIMIT_MSGQUEUE',
  nice: 'RLIMIT_NICE',
  nofile: 'RLIMIT_NOFILE',
  nproc: 'RLIMIT_NPROC',
  rss: 'RLIMIT_RSS',
  rtprio: 'RLIMIT_RTPRIO',
  rttime: 'RLIMIT_RTTIME',
  sigpending: 'RLIMIT_SIGPENDING',
  stack: 'RLIMIT_STACK',
};

/** fs.nr_open as the kernel has it unless somebody changed it: even root gets no more open files. */
const MAX_OPEN_FILES = 1024 * 1024;

/** The limits asked for, lowered to what this process has itself. Throws USAGE for an unknown name. */
export function rlimitsOf(
  ulimits: RunRequest['ulimits'],
  host: Pick<HostFacts, 'bounding' | 'rlimits' | 'rootless'>,
): Rlimit[] {
  // CAP_SYS_RESOURCE raises limits in the initial user namespace only.
  const mayRaise = !host.rootless && host.bounding.includes('CAP_SYS_RESOURCE');
  const limits = new Map<string, Rlimit>();
  for (const { name, soft, hard } of ulimits) {
    const type = ULIMITS[name];
    if (type === undefined) {
      throw new OciError('USAGE', `--ulimit ${name}: not a limit`, {
        hint: `known are ${Object.keys(ULIMITS).join(', ')}`,
      });
    }
    const ours = mayRaise ? undefined : host.rlimits.find((limit) => limit.type === type)?.hard;
    const most = Math.min(ours ?? Number.POSITIVE_INFINITY, name === 'nofile' ? MAX_OPEN_FILES : UNLIMITED);
    limits.set(type, { type, hard: Math.min(hard, most), soft: Math.min(soft, hard, most) });
  }
  return [...limits.values()];
}
