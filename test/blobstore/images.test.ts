// What `images` and `df` tell: sizes by what is there, shared layers counted once.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { listImages } from '../../src/blobstore/images.ts';
import { layerIndexPath } from '../../src/blobstore/layer-index-files.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { addBlob, addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { fill, putBlob, scratch } from './fill.ts';

const base = randomBytes(10_000);

it('counts what an image alone takes up, and what it shares', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const one = addImage(place, { layers: [base, randomBytes(700)] });
  const two = addImage(place, { layers: [base, randomBytes(90)] });
  await fill(store, place, one, 'one');
  await fill(store, place, two, 'two');
  const [first, second] = await listImages(store);
  expect(first).toMatchObject({ name: 'docker.io/library/one:latest', descriptor: one });
  expect(first!.size - first!.uniqueSize).toBe(10_000);
  expect(second!.size - second!.uniqueSize).toBe(10_000);
  const usage = await store.usage();
  expect(first!.uniqueSize + second!.uniqueSize + 10_000).toBe(usage.blobs.bytes);
  expect(usage).toMatchObject({
    images: 2,
    names: 2,
    blobs: { count: 7 },
    unreferenced: { count: 0, bytes: 0 },
  });
});

it('counts two names of one image as one', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const image = addImage(place, { layers: [base] });
  await fill(store, place, image, 'one');
  await fill(store, place, image, 'two');
  for (const { size, uniqueSize } of await listImages(store)) expect(uniqueSize).toBe(size);
  expect(await store.usage()).toMatchObject({ images: 1, names: 2 });
});

it('lists the platforms of an index that are there, without attestations', async () => {
  const store = await openStore(scratch());
  const [place, elsewhere] = [memoryPlace(), memoryPlace()];
  const amd64 = { os: 'linux', architecture: 'amd64' };
  const arm64 = { os: 'linux', architecture: 'arm64', variant: 'v8' };
  const unknown = { os: 'unknown', architecture: 'unknown' };
  const index = addIndex(place, [
    { ...addImage(place, { platform: amd64 }), platform: amd64 },
    { ...addImage(place, { platform: arm64 }), platform: arm64 },
    { ...addImage(elsewhere), platform: { os: 'linux', architecture: 's390x' } },
    { ...addImage(place), platform: unknown },
  ]);
  await fill(store, place, index, 'alpine');
  const [image] = await listImages(store);
  expect(image?.platforms).toEqual([amd64, arm64]);
  expect(image?.size).toBe([...place.blobs.values()].reduce((sum, bytes) => sum + bytes.length, 0));
});

it('reads platform and date from the config when there is no index', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const type = 'application/vnd.oci.image';
  const config = addBlob(place, `${type}.config.v1+json`, {
    created: '2024-05-01T10:00:00Z',
    os: 'windows',
    architecture: 'amd64',
    'os.version': '10.0.17763.1',
  });
  const image = addBlob(place, `${type}.manifest.v1+json`, { schemaVersion: 2, config, layers: [] });
  await fill(store, place, image, 'win');
  expect(await listImages(store)).toMatchObject([
    {
      created: '2024-05-01T10:00:00Z',
      platforms: [{ os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.1' }],
    },
  ]);
});

it('lists an image whose manifest is missing or damaged', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const damaged = addBlob(
    place,
    'application/vnd.oci.image.manifest.v1+json',
    '{"layers":[{"digest":"../../x"}]}',
  );
  await fill(store, place, damaged, 'damaged');
  await fill(store, memoryPlace(), addImage(memoryPlace()), 'missing');
  expect(await listImages(store)).toMatchObject([
    { name: 'docker.io/library/damaged:latest', created: undefined, platforms: [] },
    { name: 'docker.io/library/missing:latest', size: 0, uniqueSize: 0 },
  ]);
});

it('counts partial downloads, layer records and indexes, and blobs that no name leads to', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const orphan = addBlob(place, 'application/octet-stream', randomBytes(123));
  const partial = addBlob(place, 'application/octet-stream', randomBytes(500));
  await putBlob(store, orphan, place.blobs.get(orphan.digest)!);
  const ingest = (await store.ingest(partial))!;
  await ingest.write(place.blobs.get(partial.digest)!.subarray(0, 45));
  await ingest.suspend();
  await store.saveLayerRecord({
    digest: orphan.digest,
    diffId: orphan.digest,
    unpackedSize: 1,
    entries: 1,
    files: 1,
  });
  writeFileSync(layerIndexPath(store.dir, orphan.digest), 'index');
  expect(await store.usage()).toMatchObject({
    images: 0,
    unreferenced: { count: 1, bytes: 123 },
    ingest: { count: 1, bytes: 45 },
    layerRecords: { count: 1 },
    layerIndexes: { count: 1, bytes: 5 },
  });
});

it('loads no schema library: `images` starts fast', () => {
  const module = join(import.meta.dirname, '../../src/blobstore/images.ts');
  const script = `
    import { registerHooks } from 'node:module';
    registerHooks({ resolve(name, context, next) { if (/^(zod|undici|tar)/.test(name)) console.log(name); return next(name, context); } });
    await import(${JSON.stringify(module)});
    await import(${JSON.stringify(module.replace('images.ts', 'store.ts'))});`;
  const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect({ stdout, status }).toEqual({ stdout: '', status: 0 });
});
