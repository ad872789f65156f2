// What the generator must know of the machine and of the process that starts the container; read here, so that the
// generator itself stays pure.
import { readdirSync, readFileSync } from 'node:fs';
import { capabilitiesOfMask } from './capabilities.ts';
import type { IdMapping, Rlimit } from './runtime-spec.ts';

export interface HostFacts {
  /** As Node names it: `x64`, `arm64`, … */
  architecture: string;
  /** True when this process is root of a user namespace only. */
  rootless: boolean;
  /** The ids that exist here, and whether setgroups(2) is allowed. */
  ids: { uids: IdMapping[]; gids: IdMapping[]; setgroups: boolean };
  /** This process's own bounding set. */
  bounding: string[];
  /** This process's own limits. */
  rlimits: Rlimit[];
  /** Paths of /proc and /sys to hide besides those every machine has. */
  maskedPaths: string[];
}

const RLIMITS: Readonly<Record<string, string>> = {
  'Max cpu time': 'RLIMIT_CPU',
  'Max file size': 'RLIMIT_FSIZE',
  'Max data size': 'RLIMIT_DATA',
  'Max stack size': 'RLIMIT_STACK',
  'Max core file size': 'RLIMIT_CORE',
  'Max resident set': 'RLIMIT_RSS',
  'Max processes': 'RLIMIT_NPROC',
  'Max open files': 'RLIMIT_NOFILE',
  'Max locked memory': 'RLIMIT_MEMLOCK',
  'Max address space': 'RLIMIT_AS',
  'Max file locks': 'RLIMIT_LOCKS',
  'Max pending signals': 'RLIMIT_SIGPENDING',
  'Max msgqueue size': 'RLIMIT_MSGQUEUE',
  'Max nice priority': 'RLIMIT_NICE',
  'Max realtime priority': 'RLIMIT_RTPRIO',
  'Max realtime timeout': 'RLIMIT_RTTIME',
};

/** RLIM_INFINITY as a JSON number would lose its last bits; runtimes take -1 nowhere. This many is no limit either. */
export const UNLIMITED = Number.MAX_SAFE_INTEGER;

/** Facts of this process and machine. Call it where the container will be started: in the monitor. */
export function readHostFacts(): HostFacts {
  const uids = parseIdMap(readFileSync('/proc/self/uid_map', 'utf8'));
  const gids = parseIdMap(readFileSync('/proc/self/gid_map', 'utf8'));
  const status = readFileSync('/proc/self/status', 'utf8');
  return {
    architecture: process.arch,
    rootless: !isWholeMap(uids),
    ids: { uids, gids, setgroups: allowsSetgroups() },
    bounding: capabilitiesOfMask(/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'),
    rlimits: parseLimits(readFileSync('/proc/self/limits', 'utf8')),
    maskedPaths: thermalPaths(),
  };
}

/** A file like /proc/PID/uid_map (user_namespaces(7)). */
export function parseIdMap(text: string): IdMapping[] {
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((fields) => fields.length === 3)
    .map(([containerID = 0, hostID = 0, size = 0]) => ({ containerID, hostID, size }));
}

/** Whether `id` exists under the map. */
export function inMap(map: readonly IdMapping[], id: number): boolean {
  return map.some(({ containerID, size }) => id >= containerID && id < containerID + size);
}

/** The initial user namespace maps every id to itself. */
function isWholeMap(map: readonly IdMapping[]): boolean {
  return map.length === 1 && map[0]?.hostID === 0 && map[0].containerID === 0 && map[0].size === 0xffffffff;
}

/** A file like /proc/PID/limits. */
export function parseLimits(text: string): Rlimit[] {
  const limits: Rlimit[] = [];
  for (const line of text.split('\n')) {
    const name = Object.keys(RLIMITS).find((known) => line.startsWith(`${known} `));
    if (name === undefined) continue;
    const [soft = '', hard = ''] = line.slice(name.length).trim().split(/\s+/);
    limits.push({ type: RLIMITS[name] as string, soft: limitOf(soft), hard: limitOf(hard) });
  }
  return limits;
}

function limitOf(text: string): number {
  return text === 'unlimited' ? UNLIMITED : Number(text);
}

function allowsSetgroups(): boolean {
  try {
    return readFileSync('/proc/self/setgroups', 'utf8').trim() !== 'deny';
  } catch {
    return true;
  }
}

/** Counters that tell what other cores do (GHSA-6fw5-f8r9-fgfm). */
function thermalPaths(): string[] {
  const folder = '/sys/devices/system/cpu';
  try {
    return readdirSync(folder)
      .filter((name) => /^cpu\d+$/.test(name))
      .sort()
      .map((name) => `${folder}/${name}/thermal_throttle`);
  } catch {
    return [];
  }
}
