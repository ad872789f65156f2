// The command line's entry once the runtime is known to fit: a command that is named runs at once, all else is oclif's,
// our code reports what fails.
import { type Interfaces, run } from '@oclif/core';
import { setLogger } from '@oclif/core/logger';
import type { EarlyMonitor } from './early-monitor.ts';
import { reportFailure } from './failure-output.ts';
import { type Commands, runCommand } from './run-command.ts';

export interface Surroundings {
  /** The folder of package.json. */
  root: string;
  commands: Commands;
  /** One that `run` may use. */
  monitor?: EarlyMonitor | undefined;
}

/** Runs `argv` (without node and script). Sets `process.exitCode`. */
export async function main(argv: string[], { root, commands, monitor }: Surroundings): Promise<void> {
  const dropMonitor =
    monitor && (await import('../runner/start-monitor.ts')).keepMonitor(monitor.child, monitor.options);
  // oclif asks for the user's shell, and fails for an id that has no name, as in many a container.
  process.env.SHELL ??= '/bin/sh';
  if (process.env.DEBUG === undefined) setLogger({ root, logger: silent });
  try {
    if (await runCommand(argv, commands, root)) return;
    await run(withHelp(argv), { root });
  } catch (error) {
    reportFailure(error, argv, { commands: Object.keys(commands).map((id) => id.replaceAll(':', ' ')) });
  } finally {
    await dropMonitor?.();
  }
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
