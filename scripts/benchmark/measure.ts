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
}

/** Medians over the runs. Seconds and bytes. */
export interface Measured {
  name: string;
  wall: number;
  cpu: number;
  peakRss: number;
}

interface HyperfineExport {
  results: { times: number[]; user: number; system: number }[];
}

/** Every contender `runs` times, in turn. Wall time and CPU are hyperfine's, the memory is that of the largest process. */
export function measure(contenders: Contender[], runs: number, scratch: string): Measured[] {
  const samples = contenders.map((): Omit<Measured, 'name'>[] => []);
  for (let run = 0; run < runs; run++) {
    contenders.forEach((contender, i) => {
      tell(`${run + 1}/${runs} ${contender.name}`);
      samples[i]?.push(runOnce(contender, scratch));
    });
  }
  tell('');
  return contenders.map(({ name }, i) => {
    const all = samples[i] ?? [];
    return {
      name,
      wall: median(all.map((sample) => sample.wall)),
      cpu: median(all.map((sample) => sample.cpu)),
      peakRss: median(all.map((sample) => sample.peakRss)),
    };
  });
}

/** One line on a terminal, which the next one replaces. */
function tell(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}

function runOnce({ command, prepare }: Contender, scratch: string): Omit<Measured, 'name'> {
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
