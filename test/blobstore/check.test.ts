// `check` finds each kind of damage, names it, and finds nothing in a healthy store.
import { chmodSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { CheckStep } from '../../src/blobstore/check.ts';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

interface Checked {
  store: BlobStore;
  dir: string;
  image: Descriptor;
  layer: Digest;
  path(digest: Digest): string;
}

async function healthy(): Promise<Checked> {
  const dir = scratch();
  const store = await openStore(dir);
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'alpine');
  return {
    store,
    dir,
    image,
    layer: [...place.blobs.keys()][0]!,
    path: (digest) => blobPath(storePaths(dir), digest),
  };
}

/** The problems of every step that has some. */
async function problems(store: BlobStore): Promise<Partial<Record<CheckStep['name'], string>>> {
  const { ok, steps } = await store.check();
  const bad = steps.filter((step) => !step.ok);
  expect(ok).toBe(bad.length === 0);
  return Object.fromEntries(bad.map((step) => [step.name, step.problems.join('\n')]));
}

it('lists its steps in order, each with its time', async () => {
  const { store } = await healthy();
  const { ok, steps } = await store.check();
  expect(ok).toBe(true);
  expect(steps.map(({ name }) => name)).toEqual([
    'layout',
    'blobs',
    'names',
    'images',
    'partial downloads',
    'layer records',
  ]);
  for (const step of steps) expect(step).toMatchObject({ ok: true, problems: [], ms: expect.any(Number) });
});

it('finds a blob whose bytes have changed', async () => {
  const { store, layer, path } = await healthy();
  chmodSync(path(layer), 0o644);
  writeFileSync(path(layer), Buffer.alloc(5000));
  expect(await problems(store)).toEqual({ blobs: expect.stringContaining(layer) });
});

it('finds a blob that is too short, and the image that needs it', async () => {
  const { store, layer, path } = await healthy();
  truncateSync(path(layer), 100);
  expect(await problems(store)).toEqual({
    blobs: expect.stringContaining(layer),
    images: expect.stringMatching(new RegExp(`^docker.io/library/alpine:latest: ${layer} .* is missing$`)),
  });
});

it('finds a missing layer and a missing manifest', async () => {
  const { store, image, layer, path } = await healthy();
  rmSync(path(layer));
  expect(await problems(store)).toEqual({ images: expect.stringContaining(layer) });
  rmSync(path(image.digest));
  expect(await problems(store)).toEqual({ images: expect.stringContaining(image.digest) });
});

it('wants at least one platform of an index, and every part of that one', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  const [place, elsewhere] = [memoryPlace(), memoryPlace()];
  const held = addImage(place);
  const notHeld = addImage(elsewhere);
  const index = addIndex(place, [held, notHeld]);
  await fill(store, place, index, 'alpine');
  expect(await problems(store)).toEqual({});
  rmSync(blobPath(storePaths(dir), held.digest));
  expect(await problems(store)).toEqual({ images: expect.stringContaining('none of the 2') });
});

it('finds a file that is no blob', async () => {
  const { store, dir } = await healthy();
  writeFileSync(join(dir, 'blobs/sha256/readme'), '');
  expect(await problems(store)).toEqual({ blobs: expect.stringContaining('blobs/sha256/readme') });
});

it('finds a name that index.json lacks', async () => {
  const { store, dir } = await healthy();
  writeFileSync(join(dir, 'index.json'), '{"schemaVersion":2,"manifests":[]}');
  expect(await problems(store)).toEqual({
    names: expect.stringContaining('docker.io/library/alpine:latest'),
  });
});

it('finds a damaged database of names', async () => {
  const { store, dir } = await healthy();
  writeFileSync(storePaths(dir).database, 'not a database'.repeat(1000));
  expect(await problems(store)).toEqual({ names: expect.stringContaining('store.db is damaged') });
});

it('goes on with the other steps when index.json is damaged', async () => {
  const { store, dir, layer, path } = await healthy();
  writeFileSync(join(dir, 'index.json'), '[]');
  rmSync(path(layer));
  expect(await problems(store)).toEqual({
    names: expect.stringContaining('index.json'),
    images: expect.stringContaining(layer),
  });
});

it('finds what has no place among the partial downloads and layer records', async () => {
  const { store, dir } = await healthy();
  writeFileSync(join(storePaths(dir).ingest, 'stranger'), '');
  writeFileSync(join(storePaths(dir).layers, `${'0'.repeat(64)}.json`), '{}');
  expect(await problems(store)).toEqual({
    'partial downloads': expect.stringContaining('stranger'),
    'layer records': expect.stringContaining('0000.json'),
  });
});

it('minds nothing that a killed process was writing of a layer', async () => {
  const { store, dir } = await healthy();
  const layers = storePaths(dir).layers;
  writeFileSync(join(layers, `${'0'.repeat(64)}.json.4711-2509ed8964a9.tmp`), '{"dig');
  expect(await problems(store)).toEqual({});
});

it('says that there is no store yet', async () => {
  const store = await openStore(join(scratch(), 'none'));
  expect(await problems(store)).toEqual({ layout: expect.stringContaining('no store') });
});

it('finds a blob under the name of another', async () => {
  const { store, layer, image, path } = await healthy();
  renameSync(path(image.digest), path(layer));
  const found = await problems(store);
  expect(found.blobs).toContain(layer);
  expect(found.images).toContain(image.digest);
});

it('tells its progress and stops when the signal fires', async () => {
  const { store } = await healthy();
  const events: ProgressEvent[] = [];
  await store.check({ onProgress: (event) => events.push(event) });
  expect(events.filter(({ type }) => type === 'done')).toHaveLength(4);
  const controller = new AbortController();
  const onProgress = (): void => controller.abort();
  await expect(store.check({ signal: controller.signal, onProgress })).rejects.toMatchObject({
    code: 'ABORTED',
  });
});
