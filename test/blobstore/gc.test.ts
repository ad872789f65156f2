// gc: what goes, what stays, and what another process counts on at the moment it looks.
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { acquireFreeLock } from '../../src/blobstore/lock.ts';
import { blobPath, partialPath, storePaths } from '../../src/blobstore/paths.ts';
import { recordPushed } from '../../src/blobstore/served.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { createClient } from '../../src/client/client.ts';
import { gc } from '../../src/client/gc.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addBlob, addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { fill, putBlob, scratch } from './fill.ts';

const HOUR = 3_600_000;
/** For a machine that does much else. */
const LONG = { timeout: 60_000 };

async function newStore(): Promise<BlobStore> {
  return openStore(join(scratch(), 'store'));
}

/** Makes every file of the store's blobs and partial blobs look two hours old. */
function age(store: BlobStore, hours = 2): void {
  const paths = storePaths(store.dir);
  const then = new Date(Date.now() - hours * HOUR);
  for (const folder of [join(paths.blobs, 'sha256'), paths.ingest, paths.uploads]) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) utimesSync(join(folder, name), then, then);
  }
}

function has(store: BlobStore, digest: Digest): boolean {
  return existsSync(blobPath(storePaths(store.dir), digest));
}

it('frees what no name leads to, and keeps what images share', async () => {
  const store = await newStore();
  const shared = Buffer.from('shared');
  const [a, b] = [memoryPlace(), memoryPlace()];
  await fill(store, a, addImage(a, { layers: [shared, Buffer.from('only a')] }), 'a:1');
  await fill(store, b, addImage(b, { layers: [shared, Buffer.from('only b')] }), 'b:1');
  await store.untag(parseReference('a:1'));
  age(store);
  const dry = await store.gc({ dryRun: true });
  expect(dry.blobs.count).toBe(3);
  for (const digest of a.blobs.keys()) expect(has(store, digest)).toBe(true);
  const swept = await store.gc();
  expect(swept).toEqual({ ...dry, dryRun: false });
  for (const digest of b.blobs.keys()) expect(has(store, digest)).toBe(true);
  for (const digest of a.blobs.keys()) expect(has(store, digest)).toBe(b.blobs.has(digest));
  expect((await store.usage()).unreferenced.count).toBe(0);
  expect(await store.check()).toMatchObject({ ok: true });
  expect(readdirSync(storePaths(store.dir).ingest)).toEqual([]);
});

it('spares what is young, and says how much that is', async () => {
  const store = await newStore();
  const place = memoryPlace();
  await putBlob(store, addBlob(place, 'text/plain', 'unused'), Buffer.from('unused'));
  expect(await store.gc()).toMatchObject({ blobs: { count: 0 }, young: { count: 1, bytes: 6 }, freed: 0 });
  expect(await store.gc({ grace: -1 })).toMatchObject({ blobs: { count: 1, bytes: 6 }, freed: 6 });
});

it('spares an old blob that a copy has found and not named yet', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'a:1');
  await store.untag(parseReference('a:1'));
  age(store);
  // Another process.
  const other = await openStore(store.dir);
  for (const [digest, bytes] of place.blobs) {
    expect(await other.ingest({ mediaType: '', digest, size: bytes.length })).toBeUndefined();
  }
  expect((await store.gc()).blobs.count).toBe(0);
  await other.tag(image, parseReference('a:2'));
  expect(await store.check()).toMatchObject({ ok: true });
});

it('does not let a copy name what has gone meanwhile', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'a:1');
  await store.untag(parseReference('a:1'));
  const other = await openStore(store.dir);
  for (const [digest, bytes] of place.blobs) await other.has({ mediaType: '', digest, size: bytes.length });
  age(store);
  await store.gc();
  await expect(other.tag(image, parseReference('a:2'))).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
  expect(await store.list()).toEqual([]);
});

it('spares the blobs of an image whose name waits for another process, however long', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'a:1');
  await store.untag(parseReference('a:1'));
  const other = new DatabaseSync(storePaths(store.dir).database);
  other.exec('BEGIN IMMEDIATE');
  const naming = store.tag(image, parseReference('a:2'));
  const young = async (): Promise<number> => (await store.gc({ dryRun: true })).young.count;
  await expect.poll(young).toBe(place.blobs.size);
  age(store);
  await expect.poll(young).toBe(place.blobs.size);
  other.exec('ROLLBACK');
  other.close();
  await naming;
  expect(await store.check()).toMatchObject({ ok: true });
});

it('leaves a blob whose lock somebody holds', async () => {
  const store = await newStore();
  const unused = addBlob(memoryPlace(), 'text/plain', 'unused');
  await putBlob(store, unused, Buffer.from('unused'));
  age(store);
  const lock = acquireFreeLock(`${partialPath(storePaths(store.dir), unused.digest)}.lock`);
  expect((await store.gc()).young.count).toBe(1);
  lock?.release();
  expect((await store.gc()).blobs.count).toBe(1);
});

it('leaves to another gc what that one has moved out of the way', async () => {
  const store = await newStore();
  const unused = addBlob(memoryPlace(), 'text/plain', 'unused');
  await putBlob(store, unused, Buffer.from('unused'));
  const paths = storePaths(store.dir);
  const aside = `${blobPath(paths, unused.digest)}.1-gc.tmp`;
  renameSync(blobPath(paths, unused.digest), aside);
  age(store);
  const lock = acquireFreeLock(`${partialPath(paths, unused.digest)}.lock`);
  await store.gc();
  expect(existsSync(aside)).toBe(true);
  // It died.
  lock?.release();
  await store.gc();
  expect(existsSync(aside)).toBe(false);
});

it('may run several times at once: each old file is removed by one of them, and none fails', {
  timeout: 120_000,
}, async () => {
  const store = await newStore();
  const paths = storePaths(store.dir);
  await putBlob(store, addBlob(memoryPlace(), '', 'makes the store'), Buffer.from('makes the store'));
  mkdirSync(paths.uploads, { recursive: true });
  const folder = join(paths.blobs, 'sha256');
  const script = join(import.meta.dirname, 'gc-worker.ts');
  const sweeps = Array.from({ length: 3 }, () =>
    spawn(process.execPath, [script, 'sweep', store.dir, '', String(HOUR)], { stdio: 'pipe' }),
  );
  const ends = sweeps.map(({ stdout, stderr }) => Promise.all([text(stdout), text(stderr)]));
  const then = new Date(Date.now() - 24 * 8 * HOUR);
  const blobs = 500;
  for (let i = 0; i < blobs; i += 1) {
    const blob = join(folder, digestOf(String(i)).slice(7));
    for (const path of [blob, `${blob}.left.tmp`, join(paths.uploads, String(i))]) {
      writeFileSync(path, '');
      utimesSync(path, then, then);
    }
    await nextTurn();
  }
  await expect.poll(() => [folder, paths.uploads].flatMap((one) => readdirSync(one)).length, LONG).toBe(1);
  for (const { stdin } of sweeps) stdin.end();
  const said = await Promise.all(ends);
  expect(said.map(([, errors]) => errors)).toEqual(['', '', '']);
  const went = said.map(([output]) => (JSON.parse(output) as { went: number }).went);
  expect(went.reduce((sum, one) => sum + one, 0)).toBe(blobs);
});

it('keeps the bytes of a name set again by digest', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const image = addImage(place);
  await fill(store, place, image, 'a:1');
  await store.untag(parseReference('a:1'));
  age(store);
  await (await openStore(store.dir)).tag(image, parseReference('b:1'));
  await store.untag(parseReference('b:1'));
  // Young again: a name was on it a moment ago.
  expect((await store.gc()).blobs.count).toBe(0);
});

it('removes partial downloads that nobody has touched, and their locks, and none in use', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const [left, used] = [addBlob(place, '', 'left behind'), addBlob(place, '', 'in use')];
  const first = await store.ingest(left);
  await first?.write(Buffer.from('left'));
  await first?.suspend();
  const second = await store.ingest(used);
  await second?.write(Buffer.from('in'));
  age(store, 24 * 8);
  expect((await store.gc({ partialAge: 24 * 9 * HOUR })).partials.count).toBe(0);
  expect(await store.gc()).toMatchObject({ partials: { count: 1, bytes: 4 }, freed: 4 });
  const partial = `sha256-${used.digest.slice(7)}`;
  expect(readdirSync(storePaths(store.dir).ingest)).toEqual(
    expect.arrayContaining([partial, `${partial}.lock`]),
  );
  await second?.write(Buffer.from(' use'));
  await second?.commit();
  expect(has(store, used.digest)).toBe(true);
});

it('removes what was learnt about layers that are gone', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const [kept, gone] = [addBlob(place, '', 'kept'), addBlob(place, '', 'gone')];
  await putBlob(store, kept, Buffer.from('kept'));
  const facts = { diffId: kept.digest, unpackedSize: 1, entries: 1, files: 1 };
  for (const { digest } of [kept, gone]) await store.saveLayerRecord({ digest, ...facts });
  expect((await store.gc()).layerRecords.count).toBe(1);
  expect(await store.layerRecord(kept.digest)).toBeDefined();
  expect(await store.layerRecord(gone.digest)).toBeUndefined();
});

it('removes what a killed process was writing of a layer that is there, once it is old', async () => {
  const store = await newStore();
  const layer = addBlob(memoryPlace(), '', 'kept');
  await putBlob(store, layer, Buffer.from('kept'));
  const half = join(storePaths(store.dir).layers, `${layer.digest.slice(7)}.json.4711-2509ed8964a9.tmp`);
  mkdirSync(dirname(half), { recursive: true });
  writeFileSync(half, '{"dig');
  await store.gc();
  expect(existsSync(half)).toBe(true);
  const then = new Date(Date.now() - 24 * 8 * HOUR);
  utimesSync(half, then, then);
  expect(await store.gc()).toMatchObject({ partials: { count: 1, bytes: 5 } });
  expect(existsSync(half)).toBe(false);
});

it('a grace that pulls under way cannot keep up with is refused, none at all is not', async () => {
  const store = await newStore();
  const client = createClient({ store: store.dir });
  await putBlob(store, addBlob(memoryPlace(), '', 'unused'), Buffer.from('unused'));
  for (const grace of [1, 59_999]) {
    await expect(gc(client, { grace })).rejects.toMatchObject({ code: 'USAGE' });
  }
  expect(await gc(client, { grace: 60_000 })).toMatchObject({ young: { count: 1 } });
  age(store);
  expect(await gc(client, { grace: 0 })).toMatchObject({ blobs: { count: 1 } });
});

it('removes old names that no pattern spares', async () => {
  const dir = join(scratch(), 'store');
  const client = createClient({ store: dir });
  const store = await client.store();
  const place = memoryPlace();
  const image = addImage(place);
  for (const name of ['alpine:3.20', 'ghcr.io/me/app:1', 'ghcr.io/you/app:1'])
    await fill(store, place, image, name);
  await expect(gc(client, { keep: ['x'] })).rejects.toMatchObject({ code: 'USAGE' });
  expect((await gc(client, { olderThan: HOUR })).names).toEqual([]);
  const keep = ['ghcr.io/me/**', 'alpine:3.*'];
  expect((await gc(client, { olderThan: -HOUR, keep, dryRun: true })).names).toEqual(['ghcr.io/you/app:1']);
  expect(await store.list()).toHaveLength(3);
  expect((await gc(client, { olderThan: -HOUR, keep })).names).toEqual(['ghcr.io/you/app:1']);
  expect((await store.list()).map(({ name }) => name)).toEqual([
    'docker.io/library/alpine:3.20',
    'ghcr.io/me/app:1',
  ]);
});

it('keeps a pushed manifest, and a referrer as long as its subject', async () => {
  const store = await newStore();
  const paths = storePaths(store.dir);
  const [place, signed] = [memoryPlace(), memoryPlace()];
  const image = addImage(place);
  const signature = addImage(signed);
  await fill(store, place, image, 'a:1');
  await fill(store, signed, signature, 'sig:1');
  await store.untag(parseReference('sig:1'));
  await recordPushed(paths, { repository: 'a', descriptor: signature, subject: image.digest });
  age(store);
  expect((await store.gc()).blobs.count).toBe(0);
  await store.untag(parseReference('a:1'));
  await recordPushed(paths, { repository: 'a', descriptor: image, subject: undefined });
  expect((await store.gc()).blobs.count).toBe(0);
  expect((await store.gc({ taggedOnly: true })).blobs.count).toBe(place.blobs.size + signed.blobs.size);
});

it('removes nothing when a document of an image cannot be read', async () => {
  const store = await newStore();
  const place = memoryPlace();
  const image = addImage(place);
  const index = addIndex(place, [image]);
  await fill(store, place, index, 'a:1');
  await putBlob(store, addBlob(memoryPlace(), '', 'unused'), Buffer.from('unused'));
  const path = blobPath(storePaths(store.dir), image.digest);
  chmodSync(path, 0o644);
  writeFileSync(path, Buffer.alloc(image.size, '!'));
  age(store);
  await expect(store.gc()).rejects.toMatchObject({ code: 'STORE_INVALID' });
  expect((await store.usage()).unreferenced.count).toBeGreaterThan(0);
});
