// Chooses how progress is told: bars on a terminal, plain lines elsewhere, JSON lines for programs, or nothing.
import type { OnProgress } from '../place/progress.ts';
import { createBars } from './bars.ts';
import { createPaint, wantsColor } from './color.ts';
import { createJsonLines } from './json-lines.ts';
import { createPlainLines } from './plain-lines.ts';

/** A listener for progress events with an end. */
export interface Reporter {
  onProgress: OnProgress;
  /** Leaves the terminal as it was found. */
  close(): void;
}

export const PROGRESS_MODES = ['auto', 'tty', 'plain', 'json', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** The reporter for `mode`, writing to stderr: stdout is for answers. */
export function createReporter(
  mode: ProgressMode,
  stderr: NodeJS.WriteStream,
  env: NodeJS.ProcessEnv,
): Reporter {
  const chosen = mode !== 'auto' ? mode : stderr.isTTY && env.TERM !== 'dumb' ? 'tty' : 'plain';
  const write = (line: string): void => void stderr.write(`${line}\n`);
  switch (chosen) {
    case 'tty':
      return createBars(stderr, createPaint(wantsColor(true, env)));
    case 'plain':
      return createPlainLines(write);
    case 'json':
      return createJsonLines(write);
    case 'none':
      return { onProgress: () => {}, close: () => {} };
  }
}
