// The user's own terminal while a container has it: every key goes through as it is, and it is as before afterwards.
import type { WindowSize } from '../runner/monitor-messages.ts';

/** Its size now; undefined when stdout is no terminal. */
export function windowSize(): WindowSize | undefined {
  if (!process.stdout.isTTY) return undefined;
  const [columns, rows] = process.stdout.getWindowSize();
  return { rows, columns };
}

/** Raw until the function that is answered is called; nothing without a terminal. */
export function rawTerminal(): () => void {
  if (!process.stdin.isTTY) return () => {};
  process.stdin.setRawMode(true);
  return () => process.stdin.setRawMode(false);
}
