// The user's own terminal while a container has it: every key goes through as it is, and it is as before afterwards.
import { isatty } from 'node:tty';
import { libc } from '../runner/libc.ts';
import type { WindowSize } from '../runner/monitor-messages.ts';

/** Its size now; undefined when stdout is no terminal. */
export function windowSize(): WindowSize | undefined {
  if (!process.stdout.isTTY) return undefined;
  const [columns, rows] = process.stdout.getWindowSize();
  return { rows, columns };
}

/**
 * Raw until the function that is answered is called, or the process ends; nothing without a terminal. Node's own raw mode
 * still turns each newline into two characters, which a container's terminal has done already.
 */
export function rawTerminal(): () => void {
  if (!isatty(0)) return () => {};
  const settings = libc().makeRaw(0);
  if (settings === undefined) return () => {};
  const restore = (): void => libc().restoreTerminal(0, settings);
  process.once('exit', restore);
  return () => {
    process.off('exit', restore);
    restore();
  };
}
