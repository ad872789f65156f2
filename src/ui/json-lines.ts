// Progress for programs: one JSON object a line (docs/json.md). Byte counts are thinned to a few lines a second a blob or file.
import { monotonicMs } from '../monotonic-ms.ts';
import type { ProgressEvent } from '../place/progress.ts';
import type { Reporter } from './reporter.ts';

const INTERVAL_MS = 250;

export function createJsonLines(write: (line: string) => void): Reporter {
  const last = new Map<string, number>();
  return {
    onProgress(event) {
      const of = moved(event);
      if (of !== undefined) {
        const now = monotonicMs();
        if (now - (last.get(of) ?? -INTERVAL_MS) < INTERVAL_MS) return;
        last.set(of, now);
      }
      write(JSON.stringify(event));
    },
    close() {},
  };
}

/** What has a few bytes more; undefined for events that all count, such as the last byte of a file. */
function moved(event: ProgressEvent): string | undefined {
  switch (event.type) {
    case 'advanced':
    case 'unpacking':
      return event.digest;
    case 'hashing':
      return event.bytes < event.size ? event.path : undefined;
    default:
      return undefined;
  }
}
