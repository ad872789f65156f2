// --memory, --shm-size, --cpus, --ulimit: what people write for limits, in Docker's units.
import { UNLIMITED } from './host-facts.ts';
import { ULIMITS } from './limits.ts';
import type { RunRequest } from './run-request.ts';
import { usage } from './usage.ts';

/** Less, and not even a shell starts. */
const LEAST_MEMORY = 6 * 1024 * 1024;
const UNITS = 'bkmgt';

/** Bytes of `512m`, `1.5g`, `1GiB`, `1048576`: units are binary here, as for docker run. Throws USAGE. */
export function parseMemory(flag: string, text: string, least = 1): number {
  const [, count, unit = 'b'] = /^(\d+(?:\.\d+)?) ?([bkmgt])?(?:i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = Math.floor(Number(count) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
  if (count === undefined || !Number.isSafeInteger(bytes)) {
    throw usage(flag, text, 'not a size', 'write it as 512m, 2g or a number of bytes');
  }
  if (bytes < least) throw usage(flag, text, 'too little', `the least is ${least} bytes`);
  return bytes;
}

/** `--memory`. Throws USAGE. */
export function parseMemoryLimit(text: string): number {
  return parseMemory('--memory', text, LEAST_MEMORY);
}

/** `--cpus 1.5`. Throws USAGE. */
export function parseCpus(text: string): number {
  const cpus = /^\d+(\.\d*)?$|^\.\d+$/.test(text) ? Number(text) : Number.NaN;
  if (cpus >= 0.01 && cpus <= 100_000) return cpus;
  throw usage('--cpus', text, 'not a number of CPUs', 'write it as 2 or 0.5; the least is 0.01');
}

/** `nofile=1024:2048`, `nproc=64`; -1 is unlimited. Throws USAGE. */
export function parseUlimit(text: string): RunRequest['ulimits'][number] {
  const [, name = '', soft = '', hard = soft] =
    /^([a-z]+)=(-1|\d+|unlimited)(?::(-1|\d+|unlimited))?$/.exec(text) ?? [];
  if (name === '')
    throw usage('--ulimit', text, 'not a limit', 'write it as nofile=1024 or nofile=1024:2048 (soft:hard)');
  if (ULIMITS[name] === undefined) {
    throw usage(
      '--ulimit',
      text,
      `no limit is called ${name}`,
      `known are ${Object.keys(ULIMITS).join(', ')}`,
    );
  }
  const limit = { name, soft: amount(soft), hard: amount(hard) };
  if (limit.soft > limit.hard)
    throw usage('--ulimit', text, 'the soft limit is above the hard one', 'write soft:hard');
  return limit;
}

function amount(text: string): number {
  return text === '-1' || text === 'unlimited' ? UNLIMITED : Math.min(Number(text), UNLIMITED);
}
