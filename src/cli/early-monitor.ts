// A container's monitor takes as long to start as the rest of the command line: of a `run` in its plainest form it is
// started before oclif has even read it, which takes a fifth off the whole. What does not fit in the end is let go again.
import { dropEarlyMonitor, startEarlyMonitor } from '../runner/start-monitor.ts';

/** Flags that need a monitor of another kind; a command's own look the same, and only cost the advantage. */
const OTHERWISE = /^(?:-\w*[dhipt]|--(?:detach|help|interactive|publish|tty)\b)|\bhost$/;

/** Starts it if `args`, which follow `run`, and this user may get one. Answers how to let go of it if nobody took it. */
export function startEarly(args: readonly string[]): () => Promise<void> {
  if (process.geteuid?.() === 0 && !args.some((arg) => OTHERWISE.test(arg))) startEarlyMonitor();
  return dropEarlyMonitor;
}
