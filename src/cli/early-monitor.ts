// A container's monitor takes as long to start as the rest of the command line: of a `run` in its plainest form it is
// started before the rest is even loaded. What does not fit in the end is let go again. A file of its own in the bundle.
import type { ChildProcess } from 'node:child_process';
import { type MonitorOptions, spawnMonitor } from '../runner/spawn-monitor.ts';

/** A monitor that may be of use, and what it is good for. */
export interface EarlyMonitor {
  child: ChildProcess;
  options: MonitorOptions;
}

/** Flags that need a monitor of another kind; a command's own look the same, and only cost the advantage. */
const OTHERWISE = /^(?:-\w*[dhipt]|--(?:detach|help|interactive|publish|tty)\b)|\bhost$/;

/** Of a container in the foreground, without input and published ports. */
const EARLY: MonitorOptions = { stdio: ['ignore', 1, 2], network: true, descriptors: [] };

/** Starts it, from the file `program`, if `args`, which follow `run`, and this user may get one. */
export function startEarly(args: readonly string[], program: string): EarlyMonitor | undefined {
  if (process.geteuid?.() !== 0 || args.some((arg) => OTHERWISE.test(arg))) return undefined;
  const child = spawnMonitor(program, EARLY);
  if (child.pid !== undefined) return { child, options: EARLY };
  // Whoever needs one will fail likewise, and say so.
  child.once('error', () => {});
  return undefined;
}
