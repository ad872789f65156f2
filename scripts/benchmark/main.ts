// The benchmark: a reference image and synthetic ones, a registry on loopback, the same jobs by others and by us.
import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { copy } from './copy.ts';
import { type Ground, prepareGround, root } from './ground.ts';
import { links } from './links.ts';
import { look } from './look.ts';
import { many } from './many.ts';
import { SLOW_RUNS } from './measure.ts';
import { publish } from './publish.ts';
import { pull, type Row, rootfs, startup, stored, zstd } from './rows.ts';
import { run } from './run.ts';
import { serve } from './serve.ts';
import { growth, memory } from './sizes.ts';
import { type Outcome, replaceSection, summary } from './table.ts';

const ROWS: Record<string, Row> = {
  rootfs,
  stored,
  pull,
  links,
  copy,
  serve,
  zstd,
  memory,
  growth,
  look,
  many,
  run,
  publish,
  startup,
};

function fail(message: string): never {
  console.error(
    `error: ${message}\nhint: scripts/bench [--runs N] [--only ROW]…, ROW one of ${Object.keys(ROWS).join(', ')}`,
  );
  process.exit(2);
}

function chosen(): { rows: Row[]; runs: number; all: boolean } {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '7' }, only: { type: 'string', multiple: true } },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1) fail(`--runs ${values.runs} is not a number of runs`);
  const names = values.only ?? Object.keys(ROWS);
  const rows = names.map((name) => ROWS[name] ?? fail(`there is no row ${name}`));
  return { rows, runs, all: values.only === undefined };
}

function machine(scratch: string): string {
  const first = (command: string, ...args: string[]) => {
    try {
      return (
        execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
          '\n',
        )[0] ?? ''
      );
    } catch {
      return '';
    }
  };
  const [cpu] = cpus();
  return [
    `${cpus().length} cores (${cpu?.model.trim()}), ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `files on ${first('stat', '-f', '-c', '%T', scratch)}`,
    `Node ${process.versions.node}`,
    first('skopeo', '--version').replace(/ commit:.*/, ''),
    first('umoci', '--version'),
    first('podman', '--version'),
    first('containerd', '--version').replace(/^containerd \S+ (\S+).*/, 'containerd $1'),
    `crane ${first('crane', 'version')}`.trim().replace(/^crane$/, ''),
    first('tar', '--version'),
  ]
    .filter((fact) => fact !== '')
    .join('; ');
}

function report({ layers, layerBytes, scratch }: Ground, outcomes: Outcome[], runs: number): string {
  const facts = [
    `Reference image: ${layers.length} layers, ${Math.round(layerBytes / 1e6)} MB of gzip. ${machine(scratch)}.`,
    `Medians of ${runs} runs (start-up 20; those of the slow tools ${Math.min(runs, SLOW_RUNS)}, as the tables say), the`,
    'commands of a table in turn, page cache warm, files removed and synced before each run.',
  ].join(' ');
  const verdicts = outcomes.flatMap((outcome) => outcome.verdicts);
  const parts = [
    facts,
    `### What was to be reached\n\n${summary(verdicts)}`,
    ...outcomes.map(({ text }) => text),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

const { rows, runs, all } = chosen();
// The tools run synchronously and get the signal too: the one running fails, and the error cleans up.
process.on('SIGINT', () => {});
const ground = await prepareGround(resolve(process.env.OCITOOL_BENCH_IMAGE ?? ''));
try {
  const outcomes = rows.map((row) => row(ground, runs));
  const text = report(ground, outcomes, runs);
  // A part of the benchmark does not replace the whole.
  if (all) replaceSection(join(root, 'docs/benchmarks.md'), 'measured', text);
  console.log(text);
} finally {
  await ground.close();
}
