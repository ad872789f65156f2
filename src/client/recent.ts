// Small memories of a process that runs for long: so many entries, for so long, and one question at a time.
import { monotonicMs } from '../monotonic-ms.ts';

/** Keeps what was set last. */
export interface Recent<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  delete(key: string): void;
}

/** `most` entries, each for `ms` milliseconds; without it until others take its place. */
export function createRecent<T>({
  most,
  ms = Number.POSITIVE_INFINITY,
}: {
  most: number;
  ms?: number;
}): Recent<T> {
  const entries = new Map<string, { value: T; until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      return entry !== undefined && entry.until > monotonicMs() ? entry.value : undefined;
    },
    set(key, value) {
      entries.delete(key);
      entries.set(key, { value, until: monotonicMs() + ms });
      const [oldest] = entries.keys();
      if (entries.size > most && oldest !== undefined) entries.delete(oldest);
    },
    delete: (key) => void entries.delete(key),
  };
}

/** Callers with the same key while a question is open wait for its answer. */
export function onceAtATime<T>(): (key: string, ask: () => Promise<T>) => Promise<T> {
  const open = new Map<string, Promise<T>>();
  return (key, ask) => {
    const running = open.get(key);
    if (running !== undefined) return running;
    const started = ask().finally(() => open.delete(key));
    open.set(key, started);
    return started;
  };
}
