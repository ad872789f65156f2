// Progress for programs: one JSON object a line (docs/json.md). Byte counts are thinned to a few lines a second a blob.
import type { Digest } from '../reference/digest.ts';
import type { Reporter } from './reporter.ts';

const INTERVAL_MS = 250;

export function createJsonLines(write: (line: string) => void): Reporter {
  const last = new Map<Digest, number>();
  return {
    onProgress(event) {
      if (event.type === 'advanced' || event.type === 'unpacking') {
        const now = performance.now();
        if (now - (last.get(event.digest) ?? -INTERVAL_MS) < INTERVAL_MS) return;
        last.set(event.digest, now);
      }
      write(JSON.stringify(event));
    },
    close() {},
  };
}
