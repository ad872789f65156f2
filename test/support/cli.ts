// The built command line as people run it: another process, with its own environment.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface CliOptions {
  /** Replaces the default, which keeps the store, configuration and credentials of the person who runs the tests out. */
  env?: Record<string, string>;
  cwd?: string;
}

export interface RunningCli {
  process: ChildProcess;
  result: Promise<CliResult>;
}

/** Starts `ocitool ARGS`. */
export function startCli(args: string[], options: CliOptions = {}): RunningCli {
  if (!existsSync(join(root, 'dist/bundle/main.cjs')))
    throw new Error('dist is not built; run: npm run build');
  const child = spawn(process.execPath, [join(root, 'bin/ocitool.cjs'), ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: '/nonexistent', TMPDIR: process.env.TMPDIR, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const result = new Promise<CliResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  return { process: child, result };
}

/** Runs `ocitool ARGS` to its end, whatever that is. */
export function runCli(args: string[], options: CliOptions = {}): Promise<CliResult> {
  return startCli(args, options).result;
}

/** Runs `ocitool ARGS`, which must succeed, and gives its stdout. */
export async function cli(args: string[], options: CliOptions = {}): Promise<string> {
  const { code, signal, stdout, stderr } = await runCli(args, options);
  if (code !== 0)
    throw new Error(`ocitool ${args.join(' ')}: ${signal ?? `exit ${code}`}\n${stderr}${stdout}`);
  return stdout;
}
