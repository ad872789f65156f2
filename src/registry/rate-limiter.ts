// `--limit-rate`: one bucket of bytes for everything that goes in or out. Whoever took more than there is waits, and so does
// the other end: nothing is read, or written, meanwhile.
import { monotonicMs } from '../monotonic-ms.ts';

export interface RateLimiter {
  readonly bytesPerSecond: number;
  /** Takes bytes that came or are about to go; milliseconds to wait before the next, 0 while there are some left. */
  take(bytes: number): number;
}

/** Bytes that may go in one burst: a tenth of a second's. */
const BURST_SECONDS = 0.1;

export function createRateLimiter(bytesPerSecond: number, clock: () => number = monotonicMs): RateLimiter {
  const most = bytesPerSecond * BURST_SECONDS;
  let left = most;
  let filled = clock();
  return {
    bytesPerSecond,
    take(bytes) {
      const now = clock();
      left = Math.min(most, left + ((now - filled) * bytesPerSecond) / 1000) - bytes;
      filled = now;
      return left >= 0 ? 0 : (-left * 1000) / bytesPerSecond;
    },
  };
}
