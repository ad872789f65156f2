// Archives made to mislead, exhaust or crash the reader: each is refused with one clear error.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openArchive } from '../../src/archive/open.ts';
import { indexTar } from '../../src/archive/tar-index.ts';
import { isOciError } from '../../src/errors.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { dockerEntries, layoutEntries, makeTar, writeScratch, writeTar } from './make-tar.ts';

const invalid = { code: 'ARCHIVE_INVALID' };

it('a size larger than the archive', async () => {
  await expect(
    openArchive(writeTar([{ path: 'index.json', content: '{}', size: 10 ** 9 }])),
  ).rejects.toMatchObject(invalid);
});

it('a size that is no number, negative or beyond all bounds', async () => {
  for (const field of ['zzzzzzzzzzz\0', `\xff${'\xff'.repeat(11)}`, `\x80${'\xff'.repeat(11)}`]) {
    const tar = makeTar([{ path: 'manifest.json', content: '[]' }]);
    tar.write(field, 124, 'latin1');
    tar.write('        ', 148, 'latin1');
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    await expect(openArchive(writeScratch(tar))).rejects.toMatchObject(invalid);
  }
});

it('links that go in circles', async () => {
  const entries = dockerEntries([{ diffIds: [`sha256:${'0'.repeat(64)}`], paths: ['a'] }]);
  const circle = [
    { path: 'a', symlink: 'b' },
    { path: 'b', hardlink: 'a' },
  ];
  await expect(openArchive(writeTar([...circle, ...entries]))).rejects.toMatchObject(invalid);
});

it('a link out of the archive, which finds nothing of the machine', async () => {
  const file = writeTar([{ path: 'index.json', symlink: '../../../../../../etc/hostname' }]);
  await expect(openArchive(file)).rejects.toMatchObject(invalid);
});

it('names with NULs, dots and slashes, which stay inside', () => {
  const file = writeTar([
    { path: '../../etc/passwd', content: 'a' },
    { path: '/abs/./x//y', content: 'b' },
  ]);
  const index = indexTar(file, file);
  expect(index.find('etc/passwd')).toMatchObject({ size: 1 });
  expect(index.find('abs/x/y')).toMatchObject({ size: 1 });
  expect(index.find('__proto__')).toBeUndefined();
});

it('a path of a million characters', async () => {
  await expect(openArchive(writeTar([{ path: 'x'.repeat(800_000), content: '' }]))).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});

it('a header extension larger than any name', async () => {
  await expect(openArchive(writeTar([{ path: 'x'.repeat(2_000_000), content: '' }]))).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
  });
});

it('more files than any image has', async () => {
  const entry = makeTar([{ path: 'a', content: '' }]).subarray(0, 512);
  const tar = Buffer.concat(Array.from({ length: 200_001 }, () => entry));
  await expect(openArchive(writeScratch(tar))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

it('a directory that is named like a file of the format', async () => {
  await expect(openArchive(writeTar([{ path: 'manifest.json/', content: '' }]))).rejects.toMatchObject(
    invalid,
  );
});

it('a manifest.json larger than memory should hold', async () => {
  const content = Buffer.alloc(17 * 1024 * 1024, ' ');
  await expect(openArchive(writeTar([{ path: 'manifest.json', content }]))).rejects.toMatchObject(invalid);
});

it.each([0, 1, 511, 513, 10_000])('%i bytes of anything', async (length) => {
  await expect(openArchive(writeScratch(randomBytes(length)))).rejects.toSatisfy((error) =>
    isOciError(error),
  );
});

it('an archive cut off anywhere, or with any byte changed: an image or an OciError, nothing else', async () => {
  const place = memoryPlace();
  const image = addImage(place);
  const tar = makeTar(layoutEntries(place, [image]));
  const damage = fc.record({ end: fc.nat(tar.length), at: fc.nat(tar.length - 1), byte: fc.nat(255) });
  await fc.assert(
    fc.asyncProperty(damage, async ({ end, at, byte }) => {
      const bytes = Buffer.from(tar.subarray(0, end));
      if (at < end) bytes[at] = byte;
      try {
        const archive = await openArchive(writeScratch(bytes));
        await archive.resolveName();
        await archive.close();
      } catch (error) {
        if (!isOciError(error)) throw error;
      }
    }),
    { numRuns: 200 },
  );
});
