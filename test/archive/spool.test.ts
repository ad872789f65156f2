// Compressed archives and pipes: read like any other, and nothing is left in the temporary folder.
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, it, vi } from 'vitest';
import { openArchive } from '../../src/archive/open.ts';
import { readDocument } from '../../src/place/read-document.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';
import { layoutEntries, makeTar, scratch, writeScratch } from './make-tar.ts';

const place = memoryPlace();
const image = addImage(place);
const tar = makeTar(layoutEntries(place, [image]));

/** $TMPDIR of its own, to see what is left in it. */
function ownTmp(): string {
  const dir = scratch();
  vi.stubEnv('TMPDIR', dir);
  return dir;
}

async function expectImage(file: string): Promise<void> {
  const tmp = ownTmp();
  const archive = await openArchive(file);
  const [spooled = ''] = readdirSync(tmp);
  expect(statSync(join(tmp, spooled)).mode & 0o077).toBe(0);
  expect(await archive.resolveName()).toEqual(image);
  expect((await readDocument(archive, image)).kind).toBe('manifest');
  expect((await archive.locate(image)).path).toBe(join(tmp, spooled, 'archive.tar'));
  await archive.close();
  expect(readdirSync(tmp)).toEqual([]);
}

async function expectError(file: string, code: string, signal?: AbortSignal): Promise<void> {
  const tmp = ownTmp();
  await expect(openArchive(file, { signal })).rejects.toMatchObject({ code });
  expect(readdirSync(tmp)).toEqual([]);
}

it('reads gzip', () => expectImage(writeScratch(gzipSync(tar))));

it('reads gzip of several members', () =>
  expectImage(writeScratch(Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]))));

it('reads zstd', () => expectImage(writeScratch(zstdCompressSync(tar))));

it('reads zstd of several frames', () =>
  // Node's own decoder ends after the first of two frames in one chunk.
  expectImage(
    writeScratch(
      Buffer.concat([zstdCompressSync(tar.subarray(0, 700)), zstdCompressSync(tar.subarray(700))]),
    ),
  ));

it('reads xz', async ({ skip }) => {
  if (!hasTools('xz')) skip();
  await expectImage(writeScratch(execFileSync('xz', ['-c'], { input: tar })));
});

it('reads a pipe', async () => {
  const fifo = join(scratch(), 'pipe');
  execFileSync('mkfifo', [fifo]);
  const writer = spawn('cat', [writeScratch(gzipSync(tar))], { stdio: ['ignore', 'pipe', 'inherit'] });
  const shell = spawn('sh', ['-c', 'exec cat > "$0"', fifo], { stdio: ['pipe', 'inherit', 'inherit'] });
  writer.stdout.pipe(shell.stdin);
  await expectImage(fifo);
});

it('does not spool what is not compressed', async () => {
  const file = writeScratch(tar);
  const tmp = ownTmp();
  const archive = await openArchive(file);
  expect(readdirSync(tmp)).toEqual([]);
  await archive.close();
});

it('refuses what is cut off', async () => {
  await expectError(writeScratch(gzipSync(tar).subarray(0, -20)), 'ARCHIVE_INVALID');
  await expectError(writeScratch(zstdCompressSync(tar).subarray(0, -20)), 'ARCHIVE_INVALID');
  if (hasTools('xz')) {
    await expectError(
      writeScratch(execFileSync('xz', ['-c'], { input: tar }).subarray(0, -20)),
      'ARCHIVE_INVALID',
    );
  }
});

it('refuses what is compressed and no archive', () =>
  expectError(writeScratch(gzipSync('hello')), 'ARCHIVE_INVALID'));

it('names bzip2 and says what to do', async () => {
  await expectError(writeScratch(Buffer.from('BZh91AY&SY')), 'UNSUPPORTED');
});

it('says when there is no xz program', async () => {
  vi.stubEnv('PATH', scratch());
  await expectError(writeScratch(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 4])), 'UNSUPPORTED');
});

it('refuses a bomb before it fills the disk', async () => {
  // A gigabyte of zeros, in a megabyte: gzip members may follow one another.
  const member = gzipSync(Buffer.alloc(64 * 1024 * 1024));
  await expectError(writeScratch(Buffer.concat(Array.from({ length: 20 }, () => member))), 'LIMIT_EXCEEDED');
});

it('stops when the signal fires', async () => {
  const controller = new AbortController();
  controller.abort();
  await expectError(writeScratch(gzipSync(tar)), 'ABORTED', controller.signal);
});
