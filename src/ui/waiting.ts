// Why nothing moves, and until when: a time of day, which stays true on a screen that is not drawn again.
import type { ProgressEvent } from '../place/progress.ts';
import { type Digest, isDigest } from '../reference/digest.ts';

type Retrying = Extract<ProgressEvent, { type: 'retrying' }>;

/** Waits shorter than this are told by their length. Milliseconds. */
const SHORT_MS = 3000;

/** `rate limited until 12:04:31`, `registry.example answered 503, again in 2s`. */
export function whyWaiting({ what, reason, status, delayMs }: Retrying, now: Date): string {
  const until = clockTime(new Date(now.getTime() + delayMs));
  if (status === 429) return `rate limited until ${until}`;
  // Errors begin with what they are about, which stands in front of this already.
  const why = reason.startsWith(`${what}: `) ? reason.slice(what.length + 2) : reason;
  return `${why}, again ${delayMs < SHORT_MS ? `in ${Math.ceil(delayMs / 1000)}s` : `at ${until}`}`;
}

/** The blob that waits, which requests name in what they are for: `registry/repository@sha256:…`. */
export function blobOf({ digest, what }: Retrying): Digest | undefined {
  const named = what.slice(what.lastIndexOf('@') + 1);
  return digest ?? (isDigest(named) ? named : undefined);
}

/** `12:04:31`, by the clock on the wall here. */
function clockTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}
