// Lengths of time as Go's programs write them in their settings: `1m30s`, `200ms`, `1.5h`.

const MILLISECONDS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, μs: 1e-3, ns: 1e-6 };

/** Milliseconds; undefined for what Go does not read, or reads as less than nothing. */
export function parseGoDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(?:\d{1,9}(?:\.\d{0,9})?(?:ms|[u\u00b5\u03bc]s|ns|[hms]))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit] of text.matchAll(/([\d.]+)([^\d.]+)/g)) {
    sum += Number(count) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
  }
  return sum;
}
