// Names: ours, and those other tools write to or expect in index.json.
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { hasTools, skopeo } from '../support/tools.ts';
import { fill, scratch } from './fill.ts';

async function storeWithAlpine() {
  const dir = scratch();
  const store = await openStore(dir);
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'alpine:3.20');
  return { dir, store, image };
}

it('finds what was tagged, however the name is written', async () => {
  const { store, image } = await storeWithAlpine();
  for (const name of [
    'alpine:3.20',
    'docker.io/library/alpine:3.20',
    'index.docker.io/library/alpine:3.20',
  ]) {
    expect(await store.resolve(parseReference(name))).toEqual(image);
  }
  await expect(store.resolve(parseReference('alpine'))).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

it('finds an image by its digest, and a platform of an index too', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const platform = addImage(place);
  const index = addIndex(place, [{ ...platform, platform: { os: 'linux', architecture: 'amd64' } }]);
  await fill(store, place, index, 'alpine');
  expect(await store.resolve(parseReference(`alpine@${index.digest}`))).toEqual(index);
  expect(await store.resolve(parseReference(`alpine:3@${platform.digest}`))).toEqual(platform);
  const layer = [...place.blobs.keys()][0]!;
  await expect(store.resolve(parseReference(`alpine@${layer}`))).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
  });
});

it('moves a name to another image and touches no other', async () => {
  const { store, image } = await storeWithAlpine();
  await store.tag(image, parseReference('alpine:3'));
  const place = memoryPlace();
  const newer = addImage(place);
  await fill(store, place, newer, 'alpine:3');
  expect(await store.list()).toEqual([
    { name: 'docker.io/library/alpine:3', descriptor: newer },
    { name: 'docker.io/library/alpine:3.20', descriptor: image },
  ]);
});

it('takes a name away and keeps the blobs', async () => {
  const { store, image } = await storeWithAlpine();
  expect(await store.untag(parseReference('alpine:3.20'))).toBe(true);
  expect(await store.untag(parseReference('alpine:3.20'))).toBe(false);
  expect(await store.list()).toEqual([]);
  expect(await store.has(image)).toBe(true);
});

it('keeps the annotations of an image', async () => {
  const { store, image } = await storeWithAlpine();
  const annotated = { ...image, annotations: { 'org.opencontainers.image.created': '2020-01-01T00:00:00Z' } };
  await store.tag(annotated, parseReference('annotated'));
  expect(await store.resolve(parseReference('annotated'))).toEqual(annotated);
});

it('reads index.json when its own folder is gone', async () => {
  const { dir, store, image } = await storeWithAlpine();
  rmSync(join(dir, 'ocitool'), { recursive: true });
  expect(await store.list()).toEqual([{ name: 'docker.io/library/alpine:3.20', descriptor: image }]);
  await store.tag(image, parseReference('other'));
  expect(await store.list()).toHaveLength(2);
});

it('takes in what another tool added to index.json, loses nothing that it left out, and writes it anew', async () => {
  const { dir, store, image } = await storeWithAlpine();
  const index = join(dir, 'index.json');
  const unnamed = { ...image, size: image.size };
  const theirs = { ...image, annotations: { 'org.opencontainers.image.ref.name': 'theirs:1' } };
  writeFileSync(index, JSON.stringify({ schemaVersion: 2, manifests: [theirs, unnamed] }));
  expect((await store.list()).map(({ name }) => name)).toEqual([
    undefined,
    'docker.io/library/alpine:3.20',
    'theirs:1',
  ]);
  expect(await store.resolve(parseReference('theirs:1'))).toEqual(image);
  await store.tag(image, parseReference('ours'));
  const text = readFileSync(index, 'utf8');
  for (const name of ['theirs:1', 'docker.io/library/alpine:3.20', 'docker.io/library/ours:latest']) {
    expect(text).toContain(
      `"org.opencontainers.image.ref.name":"${name}","io.containerd.image.name":"${name}"`,
    );
  }
});

it('goes on from its database when another tool damaged index.json', async () => {
  const { dir, store, image } = await storeWithAlpine();
  writeFileSync(join(dir, 'index.json'), '{"schemaVersion":2,"mani');
  expect(await store.resolve(parseReference('alpine:3.20'))).toEqual(image);
  await store.tag(image, parseReference('other'));
  expect(JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')).manifests).toHaveLength(2);
});

it('sweeps up what a process left that was killed while it wrote index.json', async () => {
  const { dir, store, image } = await storeWithAlpine();
  const left = join(dir, 'index.json.4711-0123456789ab.tmp');
  writeFileSync(left, '{"schemaVersion":2,"mani');
  await store.tag(image, parseReference('other'));
  expect(existsSync(left)).toBe(false);
});

it('finds nothing in a store that does not exist, and makes none by looking', async () => {
  const dir = join(scratch(), 'none');
  const store = await openStore(dir);
  expect(await store.list()).toEqual([]);
  await expect(store.resolve(parseReference('alpine'))).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  expect(existsSync(dir)).toBe(false);
});

it('is read by skopeo under the full name', async ({ skip }) => {
  if (!hasTools('skopeo')) skip();
  const { dir, image } = await storeWithAlpine();
  const inspected = await skopeo('inspect', `oci:${dir}:docker.io/library/alpine:3.20`);
  expect(JSON.parse(inspected).Digest).toBe(image.digest);
});

it('is written by skopeo, and keeps the names of both', async ({ skip }) => {
  if (!hasTools('skopeo')) skip();
  const { dir, store, image } = await storeWithAlpine();
  await skopeo(
    'copy',
    '--preserve-digests',
    `oci:${dir}:docker.io/library/alpine:3.20`,
    `oci:${dir}:copied:1`,
  );
  expect(await store.resolve(parseReference('copied:1'))).toEqual(image);
  await store.tag(image, parseReference('third'));
  expect((await store.list()).map(({ name }) => name)).toEqual([
    'copied:1',
    'docker.io/library/alpine:3.20',
    'docker.io/library/third:latest',
  ]);
});

it('opens a layout that skopeo made', async ({ skip }) => {
  if (!hasTools('skopeo')) skip();
  const { dir, image } = await storeWithAlpine();
  const other = join(scratch(), 'layout');
  await skopeo(
    'copy',
    '--preserve-digests',
    `oci:${dir}:docker.io/library/alpine:3.20`,
    `oci:${other}:alpine:3.20`,
  );
  const store = await openStore(other, { readOnly: true });
  expect(await store.resolve(parseReference('alpine:3.20'))).toEqual(image);
  expect(existsSync(join(other, 'ocitool'))).toBe(false);
});

it('is read by those who wait while a busy writer takes its time', async () => {
  const { store, image } = await storeWithAlpine();
  // Another thread: who reads waits for SQLite, and for nothing else.
  const writer = new Worker(
    `const { DatabaseSync } = require('node:sqlite');
    const { parentPort, workerData } = require('node:worker_threads');
    const database = new DatabaseSync(workerData);
    database.exec('BEGIN EXCLUSIVE');
    parentPort.postMessage('held');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    database.exec('ROLLBACK');
    database.close();`,
    { eval: true, workerData: storePaths(store.dir).database },
  );
  const ended = once(writer, 'exit');
  await once(writer, 'message');
  expect(await store.resolve(parseReference('alpine:3.20'))).toEqual(image);
  await store.gc();
  await ended;
});
