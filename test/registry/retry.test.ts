import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RETRY, pause, retryDelay } from '../../src/registry/retry.ts';

describe('the wait before a retry', () => {
  it('is a random part of a limit that doubles up to the cap', () => {
    const most = [1, 2, 3, 4, 5, 6, 7].map((attempt) =>
      retryDelay(DEFAULT_RETRY, attempt, undefined, () => 1),
    );
    expect(most).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
    expect(retryDelay(DEFAULT_RETRY, 5, undefined, () => 0)).toBe(0);
  });

  it('never leaves its limits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (attempt) => {
        const delay = retryDelay(DEFAULT_RETRY, attempt);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(DEFAULT_RETRY.capMs);
      }),
    );
  });

  it('is the server’s when it gives one, up to the cap', () => {
    expect(retryDelay(DEFAULT_RETRY, 1, 20_000)).toBe(20_000);
    expect(retryDelay(DEFAULT_RETRY, 1, 86_400_000)).toBe(60_000);
  });

  it('ends at once when the signal fires, before it or within it', async () => {
    await expect(pause(1e6, AbortSignal.abort())).rejects.toMatchObject({ code: 'ABORTED' });
    const controller = new AbortController();
    const waiting = pause(1e6, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
