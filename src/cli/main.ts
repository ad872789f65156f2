// The command line's entry once the runtime is known to fit: oclif finds the command, our code reports what fails.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Interfaces, run } from '@oclif/core';
import type { EarlyMonitor } from './early-monitor.ts';
import { reportFailure } from './failure-output.ts';

/**
 * Runs `argv` (without node and script); `root` holds package.json, and `early` is a monitor that `run` may use. Sets
 * `process.exitCode`.
 */
export async function main(argv: string[], root: string, early?: EarlyMonitor): Promise<void> {
  const dropMonitor =
    early && (await import('../runner/start-monitor.ts')).keepMonitor(early.child, early.options);
  // oclif asks for the user's shell, and fails for an id that has no name, as in many a container.
  process.env.SHELL ??= '/bin/sh';
  try {
    await run(withHelp(argv), { root, ...(process.env.DEBUG === undefined && { logger: silent }) });
  } catch (error) {
    reportFailure(error, argv, { commands: commandsOf(root) });
  } finally {
    await dropMonitor?.();
  }
}

/** As people write them. Read for a failure only. */
function commandsOf(root: string): string[] {
  const { commands } = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, unknown>;
  };
  return Object.keys(commands).map((id) => id.replaceAll(':', ' '));
}

/** oclif's own would load a package, and is heard with DEBUG only. */
const silent: Interfaces.Logger = {
  namespace: 'oclif',
  child: () => silent,
  debug() {},
  error() {},
  info() {},
  trace() {},
  warn() {},
};

/** `help pull` is `pull --help`. */
function withHelp([first, ...rest]: string[]): string[] {
  if (first === undefined) return [];
  return first === 'help' ? [...rest, '--help'] : [first, ...rest];
}
