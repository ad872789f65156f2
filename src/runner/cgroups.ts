// Where cgroups are on this machine: version 1 has a hierarchy for each controller, version 2 one for all, and a
// hybrid machine both. `/proc/self/cgroup` says which there are, `/proc/self/mountinfo` where.
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
  write,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemCode } from '../errors.ts';
import type { Resources } from './spec/runtime-spec.ts';

const ATTEMPTS = 50;
/** Between two attempts, ms. */
const PAUSE = 20;

const LIMITING = ['memory', 'cpu', 'pids'];

export interface Hierarchy {
  /** 2 for the unified one. */
  version: 1 | 2;
  /** Of version 1, `memory`, `cpu`, `name=systemd`. */
  controllers: string[];
  /** Where it is mounted. */
  mount: string;
}

/** The hierarchies that are mounted here. */
export function hierarchies(): Hierarchy[] {
  const found: Hierarchy[] = [];
  for (const line of read('/proc/self/mountinfo').split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const mount = unescapeMount(left.split(' ')[4] ?? '');
    const [type, , options = ''] = right.split(' ');
    if (type === 'cgroup2') found.push({ version: 2, controllers: [], mount });
    if (type === 'cgroup') found.push({ version: 1, controllers: controllersIn(options), mount });
  }
  return found;
}

/**
 * Whether this process may make cgroups: undefined when not. `swap`: it is accounted for, so a limit on memory may
 * cover it.
 */
export function cgroupSupport(all = hierarchies()): { swap: boolean } | undefined {
  const first = all.filter(({ version }) => version === 1);
  const limiting =
    first.length > 0
      ? first.filter(({ controllers }) => controllers.some((name) => LIMITING.includes(name)))
      : all;
  if (limiting.length === 0 || !limiting.every(({ mount }) => isWritable(mount))) return undefined;
  const memory = limiting.find(({ version, controllers }) => version === 2 || controllers.includes('memory'));
  const file = memory?.version === 1 ? 'memory.memsw.limit_in_bytes' : undefined;
  return { swap: memory !== undefined && (file === undefined || existsSync(join(memory.mount, file))) };
}

/** A machine with both versions, where crun 1.8 refuses to work while it sees the unified one. */
export function unifiedBesideOthers(all = hierarchies()): string | undefined {
  return all.some(({ version }) => version === 1)
    ? all.find(({ version }) => version === 2)?.mount
    : undefined;
}

/**
 * Makes `path` in the hierarchies of memory, cpu and pids and sets the limits; answers the folders, whose
 * `cgroup.procs` takes a process in. Undefined, with nothing left, where this user may not.
 */
export function createCgroup(path: string, resources: Resources = {}): string[] | undefined {
  const all = hierarchies();
  const first = all.filter(({ version }) => version === 1);
  const version = first.length > 0 ? 1 : 2;
  const made: string[] = [];
  try {
    for (const { controllers, mount } of version === 1 ? first : all) {
      const has = (name: string): boolean => version === 2 || controllers.includes(name);
      if (!LIMITING.some(has)) continue;
      if (version === 2) writeFileSync(join(mount, 'cgroup.subtree_control'), '+memory +cpu +pids');
      const folder = join(mount, path);
      mkdirSync(folder);
      made.push(folder);
      for (const [controller, file, value] of limits(version, resources)) {
        if (has(controller)) writeFileSync(join(folder, file), value);
      }
    }
    return made.length === 0 ? undefined : made;
  } catch {
    removeFolders(path);
    return undefined;
  }
}

/**
 * Before a process changes its cgroup, the kernel waits until all cores have passed a quiet point, 10 ms or more; whoever
 * comes shortly after does not wait again. So this process is put where it is already, on a thread, while the runtime that
 * will do the moving is about to start.
 */
export function expectMove(): void {
  const own = read('/proc/self/cgroup')
    .split('\n')
    .map((line) => line.split(':'));
  for (const { version, controllers, mount } of hierarchies()) {
    const [, , path] =
      own.find(([, names = '']) => names === (version === 2 ? '' : controllers.join(','))) ?? [];
    if (path === undefined) continue;
    try {
      const file = openSync(join(mount, path, 'cgroup.procs'), 'w');
      write(file, '0', () => closeSync(file));
      return;
    } catch {
      // Its cgroup is not to be seen from here.
    }
  }
}

/** Removes `path` from every hierarchy; a process that is just ending may keep it for a moment. */
export async function removeCgroup(path: string): Promise<void> {
  for (let attempt = 0; removeFolders(path) > 0 && attempt < ATTEMPTS; attempt++) await sleep(PAUSE);
}

/** How many are left. */
function removeFolders(path: string): number {
  let left = 0;
  for (const { mount } of hierarchies()) {
    try {
      rmdirSync(join(mount, path));
    } catch (error) {
      if (systemCode(error) === 'EBUSY') left += 1;
    }
  }
  return left;
}

function* limits(
  version: 1 | 2,
  { memory, cpu, pids }: Resources,
): Generator<[controller: string, file: string, value: string]> {
  if (memory !== undefined) {
    yield ['memory', version === 2 ? 'memory.max' : 'memory.limit_in_bytes', String(memory.limit)];
  }
  if (cpu !== undefined) {
    if (version === 2) yield ['cpu', 'cpu.max', `${cpu.quota} ${cpu.period}`];
    else {
      yield ['cpu', 'cpu.cfs_period_us', String(cpu.period)];
      yield ['cpu', 'cpu.cfs_quota_us', String(cpu.quota)];
    }
  }
  if (pids !== undefined) yield ['pids', 'pids.max', String(pids.limit)];
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function controllersIn(options: string): string[] {
  return options.split(',').filter((option) => !['rw', 'ro', 'xattr'].includes(option));
}

function unescapeMount(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
