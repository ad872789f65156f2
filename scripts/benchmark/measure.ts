// Measures command lines against each other: in turn, so that a slow minute of the machine meets all of them.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Contender {
  name: string;
  /** Run by sh; starts from what `prepare` leaves. */
  command: string;
  /** Not timed. */
  prepare?: string;
  /** `ours` is what the table is about: others are compared with the last of them. */
  role: 'ours' | 'peer' | 'floor';
  /** What ours may take of this one's wall time. */
  goal?: number;
  /** Takes so long that it gets `SLOW_RUNS`, spread over the others'. */
  slow?: true;
}

/** Medians over the runs. Seconds and bytes. */
export interface Measured extends Contender {
  wall: number;
  cpu: number;
  peakRss: number;
  runs: number;
}

export const SLOW_RUNS = 3;

type Sample = Pick<Measured, 'wall' | 'cpu' | 'peakRss'>;

interface HyperfineExport {
  results: { times: number[]; user: number; system: number }[];
}

/**
 * Every contender `runs` times, in turn. Wall time and CPU are hyperfine's, the memory is that of the largest process.
 * A peer that fails is told of and left out; ours must not fail.
 */
export function measure(contenders: Contender[], runs: number, scratch: string): Measured[] {
  const samples = new Map<Contender, Sample[]>(contenders.map((contender) => [contender, []]));
  for (let run = 0; run < runs; run++) {
    for (const [contender, taken] of samples) {
      if (contender.slow && (run * SLOW_RUNS) % runs >= SLOW_RUNS) continue;
      tell(`${run + 1}/${runs} ${contender.name}`);
      try {
        taken.push(runOnce(contender, scratch));
      } catch (error) {
        if (contender.role === 'ours') throw error;
        samples.delete(contender);
        tell('');
        console.error(`skipped: ${contender.name}: it failed`);
      }
    }
  }
  tell('');
  return [...samples].map(([contender, taken]) => ({
    ...contender,
    wall: median(taken.map((sample) => sample.wall)),
    cpu: median(taken.map((sample) => sample.cpu)),
    peakRss: median(taken.map((sample) => sample.peakRss)),
    runs: taken.length,
  }));
}

/** One line on a terminal, which the next one replaces. */
function tell(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function runOnce({ command, prepare }: Contender, scratch: string): Sample {
  const times = join(scratch, 'hyperfine.json');
  const memory = join(scratch, 'memory');
  const script = `exec /usr/bin/time -f %M -o ${memory} sh -c ${quote(command)}`;
  const preparation = prepare === undefined ? [] : ['--prepare', `${prepare}; sync`];
  execFileSync(
    'hyperfine',
    ['--shell', 'sh', '--runs', '1', '--style', 'none', ...preparation, '--export-json', times, script],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const { results } = JSON.parse(readFileSync(times, 'utf8')) as HyperfineExport;
  const [result] = results;
  if (result === undefined) throw new Error(`hyperfine told nothing of: ${command}`);
  return {
    wall: result.times[0] ?? 0,
    cpu: result.user + result.system,
    peakRss: Number(readFileSync(memory, 'utf8').trim().split('\n').at(-1)) * 1024,
  };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
