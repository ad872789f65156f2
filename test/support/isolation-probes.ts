// The probes of isolation-probes.c, built, and the host that they try to reach.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { file, type Member } from './tar-builder.ts';
import { hasTools } from './tools.ts';

const SOURCE = join(import.meta.dirname, 'isolation-probes.c');

/** Every probe's name, in the order of the source. */
export const PROBES = [...readFileSync(SOURCE, 'utf8').matchAll(/PROBE\((\w+)\)[,}]/g)].map(
  ([, name]) => name as string,
);

export interface ProbeProgram {
  path: string;
  /** The layer of an image that can run it: `/probe`, and as `/probe-setuid` root's with the setuid bit. */
  layer: Member[];
  remove(): void;
}

/** Builds the program, static; undefined, with one printed line, where no compiler can. */
export function buildProbes(): ProbeProgram | undefined {
  if (!hasTools('gcc')) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'ocitool-probes-'));
  const path = join(folder, 'probe');
  const { status, stderr } = spawnSync('gcc', ['-static', '-w', '-O1', '-o', path, SOURCE], {
    encoding: 'utf8',
  });
  if (status !== 0) {
    console.log(`SKIPPED probes: gcc cannot build them here: ${stderr.split('\n')[0]}`);
    rmSync(folder, { recursive: true });
    return undefined;
  }
  chmodSync(folder, 0o755);
  const bytes = readFileSync(path);
  return {
    path,
    layer: [file('probe', bytes, { mode: 0o755 }), file('probe-setuid', bytes, { mode: 0o4755 })],
    remove: () => rmSync(folder, { recursive: true }),
  };
}

export interface ProbedHost {
  /** What the probes have to know, as environment entries. */
  facts: string[];
  close(): Promise<void>;
}

/** Starts the other side: a process, sockets, shared memory and a queue of the host. `prefix` as of a ContainerHost. */
export async function startProbedHost(program: string, prefix: readonly string[]): Promise<ProbedHost> {
  const child = spawn('env', [...prefix, program, 'host'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8');
  while (!said.includes('ready')) {
    const [text] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])) as [unknown];
    if (typeof text !== 'string') throw new Error('the host of the probes did not start');
    said += text;
  }
  return {
    facts: said.split('\n').filter((line) => line.startsWith('PROBE_')),
    async close() {
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    },
  };
}

/** Verdicts by name: `open` or `closed`, with the reason. */
export function readVerdicts(output: string): Map<string, { open: boolean; why: string }> {
  return new Map(
    output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [name = '', verdict, why = ''] = line.split('\t');
        return [name, { open: verdict === 'open', why }];
      }),
  );
}

/** Names of those that are open, sorted, with the reason. */
export function openProbes(output: string): string[] {
  return [...readVerdicts(output)]
    .filter(([, { open }]) => open)
    .map(([name, { why }]) => `${name}: ${why}`)
    .sort();
}
