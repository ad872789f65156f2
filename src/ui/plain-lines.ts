// Progress where there is no terminal: a line when something happens, and one now and then while something large moves.
import { monotonicMs } from '../monotonic-ms.ts';
import { formatBytes, formatDuration, printable, shortDigest } from './format.ts';
import type { Reporter } from './reporter.ts';
import { createTransferState } from './transfer-state.ts';
import { whyWaiting } from './waiting.ts';

/** A CI log wants a sign of life, not a bar. */
const HEARTBEAT_MS = 10_000;

export function createPlainLines(write: (line: string) => void): Reporter {
  const state = createTransferState();
  let lastBeat = monotonicMs();

  function beat(now: number): void {
    if (now - lastBeat < HEARTBEAT_MS) return;
    lastBeat = now;
    if (state.hashing !== undefined) {
      const { path, bytes, size } = state.hashing;
      write(printable(`${path}: hashing, ${formatBytes(bytes)} of ${formatBytes(size)}`));
      return;
    }
    const { held, total, rate, left } = state.sum(now);
    const eta = left === undefined ? '' : `, ${formatDuration(left)} left`;
    write(`${formatBytes(held)} of ${formatBytes(total)}, ${formatBytes(rate)}/s${eta}`);
  }

  return {
    onProgress(event) {
      const now = monotonicMs();
      state.apply(event, now);
      switch (event.type) {
        case 'resolved':
          write(`${event.name}: ${event.descriptor.digest}`);
          break;
        case 'resumed':
          write(`${shortDigest(event.descriptor.digest)}: resumed at ${formatBytes(event.offset)}`);
          break;
        case 'reused':
          write(
            `${shortDigest(event.descriptor.digest)}: already there, ${formatBytes(event.descriptor.size)}`,
          );
          break;
        case 'done':
          write(
            `${shortDigest(event.descriptor.digest)}: ${event.verb ?? 'pulled'}, ${formatBytes(event.descriptor.size)}`,
          );
          break;
        case 'unpacked':
          write(`${shortDigest(event.digest)}: unpacked, ${event.entries} entries`);
          break;
        case 'retrying':
          write(printable(`${event.what}: ${whyWaiting(event, new Date())}`));
          break;
        case 'warning':
          write(`warning: ${printable(event.message)}`);
          break;
        case 'advanced':
        case 'unpacking':
        case 'hashing':
          beat(now);
          break;
        default:
          break;
      }
    },
    close() {},
  };
}
