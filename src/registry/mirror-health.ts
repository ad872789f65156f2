// What a client remembers of mirrors: each failure is told once, and one that does not answer is left alone for a while.
import type { ErrorCode, OciError } from '../errors.ts';
import type { OnProgress } from '../place/progress.ts';

export interface MirrorHealth {
  isUp(host: string): boolean;
  /** `next` is asked instead. */
  failed(host: string, error: OciError, next: string): void;
}

/** How long a mirror is not asked after it did not answer, nor for a blob that it lacks. Milliseconds. */
export const REST_MS = 60_000;
const LACKING = new Set<ErrorCode>(['IMAGE_NOT_FOUND', 'BLOB_NOT_FOUND', 'UNAUTHORIZED', 'DENIED']);
/** It answered with something else: it is not asked again. */
const WRONG = new Set<ErrorCode>(['DIGEST_MISMATCH', 'SIZE_MISMATCH']);

/** It answered, only not with what was wanted. */
export function isLacking({ code }: OciError): boolean {
  return LACKING.has(code);
}

export function createMirrorHealth(
  onProgress: OnProgress | undefined,
  now: () => number = Date.now,
): MirrorHealth {
  const restUntil = new Map<string, number>();
  const told = new Set<string>();
  return {
    isUp: (host) => (restUntil.get(host) ?? 0) <= now(),
    failed(host, error, next) {
      const { code, message } = error;
      const lacking = isLacking(error);
      if (!lacking) restUntil.set(host, WRONG.has(code) ? Number.POSITIVE_INFINITY : now() + REST_MS);
      if (told.has(`${host} ${code}`)) return;
      told.add(`${host} ${code}`);
      const and = lacking ? `asking ${next}` : `going on without this mirror`;
      // Most messages begin with the host, in the image's name there, and have it again before the reason.
      const reason = message.replace(` ${host}:`, '');
      const text = reason.startsWith(host) ? reason : `${host}: ${reason}`;
      onProgress?.({ type: 'warning', message: `mirror ${text}: ${and}` });
    },
  };
}
