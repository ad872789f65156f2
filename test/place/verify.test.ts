// The one place where bytes become trusted.
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { readSmall } from '../../src/place/read-document.ts';
import { createVerifier, readVerified } from '../../src/place/verify.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { memoryPlace } from '../support/image-builder.ts';

const bytes = Buffer.from('hello');
const descriptor = { mediaType: 'x/y', digest: digestOf(bytes), size: bytes.length };

test.each(['sha256', 'sha512'] as const)('the right bytes, by %s', async (algorithm) => {
  const named = { ...descriptor, digest: digestOf(bytes, algorithm) };
  expect(await readVerified(Readable.from([bytes.subarray(0, 2), bytes.subarray(2)]), named)).toEqual(bytes);
});

test('too few', async () => {
  await expect(readVerified(Readable.from([bytes.subarray(1)]), descriptor)).rejects.toMatchObject({
    code: 'SIZE_MISMATCH',
  });
});

test('too many are noticed before they are all read', () => {
  const verifier = createVerifier(descriptor);
  expect(() => verifier.update(Buffer.alloc(6))).toThrow(expect.objectContaining({ code: 'SIZE_MISMATCH' }));
});

test('as many, but others', async () => {
  await expect(readVerified(Readable.from([Buffer.from('hellO')]), descriptor)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('a document above the limit is not asked for', async () => {
  const place = memoryPlace();
  await expect(readSmall(place, { ...descriptor, size: 5_000_000 })).rejects.toMatchObject({
    code: 'MANIFEST_TOO_LARGE',
  });
  expect(place.fetched).toEqual([]);
});
