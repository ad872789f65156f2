// Which directories are stores, and which writes are refused.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

const blob = { mediaType: 'application/octet-stream', digest: digestOf('x'), size: 1 };

it('refuses a store of a newer version, and says what to do', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  await (await store.ingest(blob))!.abort();
  mkdirSync(join(dir, 'ocitool/v2'));
  await expect(openStore(dir)).rejects.toMatchObject({
    code: 'STORE_VERSION',
    hint: expect.stringContaining('update'),
  });
  await expect(store.ingest(blob)).rejects.toMatchObject({ code: 'STORE_VERSION' });
});

it('refuses a directory of something else and leaves it alone', async () => {
  const dir = scratch();
  writeFileSync(join(dir, 'letter.txt'), 'Dear');
  await expect(openStore(dir)).rejects.toMatchObject({ code: 'STORE_INVALID' });
  expect(readdirSync(dir)).toEqual(['letter.txt']);
});

it.each(['{"imageLayoutVersion":"2.0.0"}', '{}', 'not JSON'])(
  'refuses a layout that says %s',
  async (layout) => {
    const dir = scratch();
    writeFileSync(join(dir, 'oci-layout'), layout);
    await expect(openStore(dir)).rejects.toMatchObject({ code: 'STORE_INVALID' });
  },
);

it('refuses a missing store when it may not make one', async () => {
  await expect(openStore(join(scratch(), 'none'), { create: false })).rejects.toMatchObject({
    code: 'STORE_INVALID',
  });
});

it('reads but does not write when opened for reading only', async () => {
  const dir = scratch();
  const place = memoryPlace();
  const image = addImage(place);
  await fill(await openStore(dir), place, image, 'alpine');
  const store = await openStore(dir, { readOnly: true });
  expect(await store.resolve(parseReference('alpine'))).toEqual(image);
  expect(await store.check()).toMatchObject({ ok: true });
  const refused = { code: 'PERMISSION' };
  await expect(store.ingest(blob)).rejects.toMatchObject(refused);
  await expect(store.tag(image, parseReference('a'))).rejects.toMatchObject(refused);
  await expect(store.untag('a')).rejects.toMatchObject(refused);
  expect(await store.ingest(image)).toBeUndefined();
});

it('keeps what is known of a layer', async () => {
  const store = await openStore(scratch());
  const record = { digest: blob.digest, diffId: digestOf('y'), unpackedSize: 10, entries: 3, files: 2 };
  expect(await store.layerRecord(blob.digest)).toBeUndefined();
  await store.saveLayerRecord(record);
  expect(await store.layerRecord(blob.digest)).toEqual(record);
});

it('forgets a layer record that is damaged', async () => {
  const dir = scratch();
  const store = await openStore(dir);
  await store.saveLayerRecord({
    digest: blob.digest,
    diffId: blob.digest,
    unpackedSize: 1,
    entries: 1,
    files: 1,
  });
  writeFileSync(join(dir, 'ocitool/v1/layers', `${blob.digest.slice(7)}.json`), '{"digest":');
  expect(await store.layerRecord(blob.digest)).toBeUndefined();
});
