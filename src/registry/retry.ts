// When a failed request is tried again and how long that waits: full jitter, and the server's own word first.
import { setTimeout as delay } from 'node:timers/promises';
import { abortError } from '../errors.ts';
import type { OnProgress } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';

/** How patient a transport is. Milliseconds. */
export interface RetryPolicy {
  /** Attempts after the first. */
  retries: number;
  /** The first wait is up to this long, and each further one up to twice as long. */
  baseMs: number;
  /** No wait of our own is longer. */
  capMs: number;
  /** A server's `Retry-After` counts up to this long. */
  retryAfterCapMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  retries: 5,
  baseMs: 500,
  capMs: 15_000,
  retryAfterCapMs: 60_000,
};

const RETRIED_STATUS = new Set([408, 429, 500, 502, 503, 504]);

/** True for answers that another attempt may change. */
export function isRetriedStatus(status: number): boolean {
  return RETRIED_STATUS.has(status);
}

/**
 * The wait in ms before attempt `attempt` (1 is the first retry): the server's `Retry-After` when it gave one, else a
 * random part of a doubling limit, so that ten parallel blobs do not come back all at once.
 */
export function retryDelay(
  policy: RetryPolicy,
  attempt: number,
  retryAfterMs?: number,
  random: () => number = Math.random,
): number {
  if (retryAfterMs !== undefined) return Math.min(retryAfterMs, policy.retryAfterCapMs);
  return Math.round(random() * Math.min(policy.capMs, policy.baseMs * 2 ** (attempt - 1)));
}

/** The wait in ms a `Retry-After` header asks for, in seconds or as a date (RFC 9110, 10.2.3); undefined when unreadable. */
export function parseRetryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  // Date.parse takes far more than HTTP dates: a bare number or word must not become a year.
  const date = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Resolves after `ms`. Throws ABORTED as soon as the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw abortError(signal);
  }
}

/** What is about to be tried again. */
export interface Retry {
  /** `docker.io/library/alpine:3.20`, for messages. */
  what: string;
  /** What went wrong. */
  failure: Error;
  /** 1 is the first retry. */
  attempt: number;
  digest?: Digest | undefined;
  signal: AbortSignal | undefined;
}

/** Tells that something is tried again, and waits before it. Throws ABORTED. */
export async function waitToRetry(
  { retry, onProgress }: { retry: RetryPolicy; onProgress: OnProgress },
  { what, failure, attempt, digest, signal }: Retry,
): Promise<void> {
  const delayMs = retryDelay(retry, attempt);
  const reason = failure.message;
  onProgress({ type: 'retrying', what, reason, attempt, delayMs, ...(digest && { digest }) });
  await pause(delayMs, signal ?? new AbortController().signal);
}
