// A disk that fills up, and one that cannot be written: real file systems, mounted for the test when it runs as root.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { partialPath, storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

/** A file system of this size on a folder; undefined where mounting is not allowed. */
function mountSmall(size: string): string | undefined {
  const dir = scratch();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', dir], { stdio: 'ignore' });
  } catch {
    console.log('SKIPPED for want of the right to mount');
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', [dir]));
  return dir;
}

it('leaves only the partial download when the disk is full', async ({ skip }) => {
  const dir = mountSmall('1m') ?? skip();
  const store = await openStore(join(dir, 'store'));
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'alpine');
  const bytes = randomBytes(2_000_000);
  const large = { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length };
  const ingest = (await store.ingest(large))!;
  expect(() => ingest.write(bytes)).toThrow(
    expect.objectContaining({ code: 'DISK_FULL', hint: expect.any(String) }),
  );
  await ingest.suspend();
  const partial = partialPath(storePaths(store.dir), large.digest);
  expect(statSync(partial).size).toBeGreaterThan(0);
  expect(await store.has(large)).toBe(false);
  // Not a byte is free: a name cannot be given either, and the old ones stay.
  await expect(store.tag(image, parseReference('other'))).rejects.toMatchObject({ code: 'DISK_FULL' });
  expect(readdirSync(store.dir).sort()).toEqual(['blobs', 'index.json', 'oci-layout', 'ocitool']);
  expect(await store.list()).toEqual([{ name: 'docker.io/library/alpine:latest', descriptor: image }]);
  // What was held is good, and is gone on with when there is space again.
  const again = (await store.ingest(large))!;
  expect(again.offset).toBe(statSync(partial).size);
  await again.abort();
  expect(existsSync(partial)).toBe(false);
  await store.tag(image, parseReference('other'));
  expect(await store.check()).toMatchObject({ ok: true });
});

it('reads a store on a read-only file system, and names the reason when it cannot write', async ({
  skip,
}) => {
  const dir = mountSmall('4m') ?? skip();
  const store = await openStore(dir);
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'alpine');
  execFileSync('mount', ['-o', 'remount,ro', dir]);
  const reader = await openStore(dir);
  expect(await reader.resolve(parseReference('alpine'))).toEqual(image);
  expect(await reader.check()).toMatchObject({ ok: true });
  await expect(reader.tag(image, parseReference('other'))).rejects.toMatchObject({ code: 'PERMISSION' });
  const blob = { mediaType: 'application/octet-stream', digest: digestOf('x'), size: 1 };
  await expect(reader.ingest(blob)).rejects.toMatchObject({ code: 'PERMISSION' });
});
