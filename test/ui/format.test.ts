import { expect, test } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  parseBytes,
  printable,
  shortDigest,
} from '../../src/ui/format.ts';

test.each([
  [0, '0B'],
  [999, '999B'],
  [1000, '1.00kB'],
  [2_107_098, '2.11MB'],
  [45_250_000, '45.3MB'],
  [162_000_000, '162MB'],
  [999_600, '1.00MB'],
  [1_460_000_000, '1.46GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  ['4096', 4096],
  ['10GB', 10_000_000_000],
  ['512 mb', 512_000_000],
  ['1GiB', 2 ** 30],
  ['1.5k', 1500],
  ['0', undefined],
  ['-1', undefined],
  ['10XB', undefined],
  ['9999PB', undefined],
])('%s is %s bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test('counts have their thousands apart', () => {
  expect([7, 1234, 76_000, 1_234_567].map(formatCount)).toEqual(['7', '1,234', '76,000', '1,234,567']);
});

test('ages', () => {
  const now = Date.parse('2026-01-31T00:00:00Z');
  expect(formatAge('2026-01-30T23:59:40Z', now)).toBe('just now');
  expect(formatAge('2026-01-30T22:30:00Z', now)).toBe('1 hour ago');
  expect(formatAge('2026-01-10T00:00:00Z', now)).toBe('3 weeks ago');
  expect(formatAge('2019-03-07T22:20:00Z', now)).toBe('6 years ago');
  expect(formatAge('not a time', now)).toBe('');
  expect(formatAge(undefined, now)).toBe('');
});

test('durations', () => {
  expect([4, 125, 3725].map(formatDuration)).toEqual(['4s', '2m05s', '1h02m']);
});

test('a digest is shown by its first twelve digits', () => {
  expect(shortDigest(digestOf(''))).toBe('e3b0c44298fc');
});

test('text of an image cannot steer the terminal', () => {
  expect(printable('a\u001b[2Jb\nc\u202e')).toBe('a\\x1b[2Jb\\nc\\x202e');
});
