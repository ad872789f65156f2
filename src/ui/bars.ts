// Progress on a terminal: a bar a layer, redrawn in place, as many as fit, never wider than the screen.
import { monotonicMs } from '../monotonic-ms.ts';
import type { ProgressEvent } from '../place/progress.ts';
import type { Paint } from './color.ts';
import { formatBytes, formatDuration, printable, shortDigest } from './format.ts';
import type { Reporter } from './reporter.ts';
import { truncate } from './table.ts';
import { createTransferState, type Hashing, type Transfer, type TransferSum } from './transfer-state.ts';

/** A redraw costs a write to the terminal; ten a second look smooth. */
const FRAME_MS = 100;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const CLEAR_DOWN = '\u001b[J';

/** The part of a TTY stream that bars need. */
export interface Screen {
  columns?: number;
  rows?: number;
  write(text: string): unknown;
}

export function createBars(screen: Screen, paint: Paint): Reporter {
  const state = createTransferState();
  let drawn = 0;
  let timer: NodeJS.Timeout | undefined;
  let cursorHidden = false;
  let closed = false;

  function erase(): string {
    const up = drawn > 0 ? `\u001b[${drawn}A` : '';
    drawn = 0;
    return `\r${up}${CLEAR_DOWN}`;
  }

  function frame(now: number): string[] {
    const columns = screen.columns ?? 80;
    // The sum and what waits, or the file that is read before, have a line each, and the cursor stands below.
    const room = Math.max(1, (screen.rows ?? 24) - 3);
    const all = [...state.transfers.values()];
    // Too many for the screen: what moves is worth showing, what is done is only counted.
    const shown =
      all.length <= room
        ? all
        : all.filter((t) => t.phase !== 'done' && t.phase !== 'waiting').slice(0, room);
    const lines = shown.map((transfer) => barLine(transfer, columns, paint));
    const sum = state.sum(now);
    if (all.length > 1 || sum.left !== undefined) lines.push(summaryLine(sum, columns));
    if (state.hashing !== undefined) lines.push(hashingLine(state.hashing, columns));
    if (state.waiting !== '') lines.push(paint.yellow(truncate(printable(state.waiting), columns - 1)));
    return lines;
  }

  function draw(): void {
    timer = undefined;
    const lines = frame(monotonicMs());
    const hide = cursorHidden ? '' : HIDE_CURSOR;
    cursorHidden = true;
    screen.write(`${hide}${erase()}${lines.map((line) => `${line}\n`).join('')}`);
    drawn = lines.length;
  }

  function onProgress(event: ProgressEvent): void {
    if (event.type === 'warning') {
      screen.write(`${erase()}${paint.yellow('warning:')} ${printable(event.message)}\n`);
    }
    state.apply(event, monotonicMs());
    const toShow = state.transfers.size > 0 || state.hashing !== undefined || state.waiting !== '';
    if (toShow && !closed) timer ??= setTimeout(draw, FRAME_MS);
  }

  function close(): void {
    clearTimeout(timer);
    if (closed) return;
    closed = true;
    if (state.transfers.size > 0 || drawn > 0) draw();
    if (cursorHidden) screen.write(SHOW_CURSOR);
  }

  return { onProgress, close };
}

const BAR_WIDTH = 24;
/** `id  ` and `  held / total  ` around the bar. */
const FIXED_WIDTH = 14 + 21;
/** Columns from which on a waiting blob's numbers leave room for the reason. */
const ROOMY = 64;
/** Room for `unpacking` behind it. */
const TEXT_WIDTH = 9;

function barLine(transfer: Transfer, columns: number, paint: Paint): string {
  const { descriptor, phase, bytes } = transfer;
  const id = shortDigest(descriptor.digest);
  const size = formatBytes(descriptor.size);
  if (phase === 'done') {
    return `${id}  ${paint.green('✔')} ${truncate(`${transfer.outcome.padEnd(13)} ${size.padStart(7)}`, columns - 17)}`;
  }
  if (phase === 'waiting')
    return `${id}  ${paint.dim(truncate(`  waiting       ${size.padStart(7)}`, columns - 15))}`;
  const fraction = descriptor.size === 0 ? 1 : Math.min(1, bytes / descriptor.size);
  const numbers = `${formatBytes(bytes).padStart(7)} / ${size.padStart(7)}`;
  // Why it waits matters more than a bar that does not move.
  if (phase === 'retrying') {
    const told = columns < ROOMY ? '' : `${numbers}  `;
    return truncate(`${id}  ${told}${printable(transfer.note)}`, columns - 1);
  }
  const text = transfer.note === '' ? phase : `${phase}: ${printable(transfer.note)}`;
  // The last column stays free: a terminal that has just filled it may wrap.
  const room = columns - 1 - FIXED_WIDTH;
  const width = Math.min(BAR_WIDTH, room - TEXT_WIDTH);
  if (width < 4) return truncate(`${id} ${Math.floor(fraction * 100)}%`, columns - 1);
  const filled = Math.round(fraction * width);
  const bar = `${paint.cyan('━'.repeat(filled))}${paint.dim('─'.repeat(width - filled))}`;
  return `${id}  ${bar}  ${numbers}  ${truncate(text, room - width)}`;
}

/** The file's name last: a narrow screen cuts it off, and people know which one they gave. */
function hashingLine({ path, bytes, size }: Hashing, columns: number): string {
  const numbers = `${formatBytes(bytes).padStart(7)} / ${formatBytes(size).padStart(7)}`;
  const share = `${Math.floor((bytes / size) * 100)}%`.padStart(4);
  return truncate(`hashing ${numbers} ${share}  ${printable(path)}`, columns - 1);
}

/** What matters most comes first: a narrow screen cuts the end off. */
function summaryLine(sum: TransferSum, columns: number): string {
  const { done, count, held, total, rate, left, reused, resumed } = sum;
  const parts = [`${done} of ${count} done`, `${formatBytes(held)} / ${formatBytes(total)}`];
  if (left !== undefined) parts.push(`${formatBytes(rate)}/s`, `${formatDuration(left)} left`);
  if (reused > 0) parts.push(`${formatBytes(reused)} there`);
  if (resumed > 0) parts.push(`${formatBytes(resumed)} resumed`);
  return truncate(parts.join('  '), columns - 1);
}
