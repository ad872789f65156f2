import { expect, test } from 'vitest';
import { OciError } from '../../src/errors.ts';
import { createPaint } from '../../src/ui/color.ts';
import { failureLines, toFailure } from '../../src/ui/failure.ts';

test.each([
  ['INVALID_REFERENCE', 2],
  ['IMAGE_NOT_FOUND', 3],
  ['UNAUTHORIZED', 4],
  ['NETWORK', 5],
  ['DIGEST_MISMATCH', 6],
  ['DISK_FULL', 1],
  ['ABORTED', 130],
] as const)('%s ends with exit code %d', (code, exitCode) => {
  expect(toFailure(new OciError(code, 'x')).exitCode).toBe(exitCode);
});

test('one line, and a hint', () => {
  const failure = toFailure(
    new OciError('IMAGE_NOT_FOUND', 'alpine:9: no such tag', { hint: 'did you mean 3.20?' }),
  );
  expect(failureLines(failure, createPaint(false))).toEqual([
    'error: alpine:9: no such tag',
    'hint: did you mean 3.20?',
  ]);
});

test('secrets never show, whoever put them there', () => {
  const failure = toFailure(
    new OciError(
      'NETWORK',
      'GET https://me:hunter2@example.com/x?X-Amz-Signature=abcdef&a=1 Bearer abcdefghijk',
    ),
  );
  expect(failure.message).toBe('GET https://***@example.com/x?X-Amz-Signature=***&a=1 Bearer ***');
});

test('an unexpected error is called a bug, in one line', () => {
  expect(toFailure(new TypeError('boom\nmore'))).toMatchObject({
    code: 'INTERNAL',
    message: 'boom',
    exitCode: 1,
  });
});
