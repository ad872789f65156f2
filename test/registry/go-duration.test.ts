// What Go's time.ParseDuration reads, of what settings files have.
import { expect, it } from 'vitest';
import { parseGoDuration } from '../../src/registry/go-duration.ts';

it.for([
  ['200ms', 200],
  ['3s', 3000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['1.s', 1000],
  ['500us', 0.5],
  ['500µs', 0.5],
  ['0', 0],
  ['', undefined],
  ['3', undefined],
  ['-1s', undefined],
  ['3 s', undefined],
  ['s', undefined],
  ['1d', undefined],
] as const)('%s', ([text, expected]) => {
  expect(parseGoDuration(text)).toBe(expected);
});
