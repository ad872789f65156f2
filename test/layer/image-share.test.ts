import { describe, expect, it } from 'vitest';
import { imageCounters, openShare } from '../../src/layer/image-share.ts';
import { layerLimits } from '../../src/layer/limits.ts';

const limits = layerLimits({ bytes: 100, entries: 10 });
const exceeded = (hint: string): unknown =>
  expect.objectContaining({ code: 'LIMIT_EXCEEDED', hint: expect.stringContaining(hint) });

describe('what the layers of an image use together', () => {
  it('is held to the limits that each of them keeps', () => {
    const counters = imageCounters(2);
    const [lower, upper] = [0, 1].map((layer) => openShare({ counters, layer }, limits));
    lower?.(60, 6);
    upper?.(40, 4);
    expect(() => upper?.(41, 4)).toThrow(exceeded('--max-bytes'));
    expect(() => upper?.(40, 5)).toThrow(exceeded('--max-entries'));
  });

  it('forgets the first reading of a layer that is read twice', () => {
    const counters = imageCounters(1);
    openShare({ counters, layer: 0 }, limits)(90, 9);
    expect(() => openShare({ counters, layer: 0 }, limits)(90, 9)).not.toThrow();
  });
});
