// What a power cut or a bad disk may leave of the database of names: index.json has the names, and nothing is lost.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it } from 'vitest';
import { readIndexFile } from '../../src/blobstore/index-file.ts';
import { storePaths } from '../../src/blobstore/paths.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { unforcedMark } from '../../src/blobstore/unforced.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

const SOME = 40;

/** A store with as many names of one image as take several pages of the database. */
async function storeWithNames() {
  const dir = scratch();
  const store = await openStore(dir);
  const place = memoryPlace();
  const image = addImage(place);
  for (let i = 0; i < SOME; i += 1) await fill(store, place, image, `example.com/app${i}:1`);
  return { dir, store, image, database: storePaths(dir).database };
}

async function names(store: BlobStore): Promise<(string | undefined)[]> {
  return (await store.list()).map(({ name }) => name).sort();
}

function sql(database: string, text: string): void {
  const open = new DatabaseSync(database);
  open.exec(text);
  open.close();
}

it('is not believed alone after the machine has started anew: what it lost is in index.json', async () => {
  const { dir, store, image, database } = await storeWithNames();
  const before = await names(store);
  sql(database, "DELETE FROM refs WHERE name LIKE '%app7%'");
  // As long as the machine runs, the database is what was written to it.
  expect(await names(store)).toEqual(before.filter((name) => name !== 'example.com/app7:1'));
  const mark = unforcedMark(dir);
  if (mark !== undefined)
    sql(database, `UPDATE meta SET value = replace(value, '${mark}', 'an earlier boot')`);
  else sql(database, 'DELETE FROM meta');
  expect(await names(store)).toEqual(before);
  await store.tag(image, parseReference('example.com/last:1'));
  expect(await names(store)).toEqual([...before, 'example.com/last:1']);
  expect(readIndexFile(join(dir, 'index.json'))).toHaveLength(SOME + 1);
});

for (const [how, damage] of [
  ['is no database', (bytes: Buffer) => bytes.fill('not a database')],
  ['lacks pages', (bytes: Buffer) => bytes.subarray(0, 4096)],
  // All but the first and the second, the roots of the tables.
  ['has pages of zeros', (bytes: Buffer) => bytes.fill(0, 8192)],
] as const) {
  it(`is read past and made anew when it ${how}`, async () => {
    const { dir, store, image, database } = await storeWithNames();
    const before = await names(store);
    writeFileSync(database, damage(readFileSync(database)));
    expect(await names(store)).toEqual(before);
    expect(await store.resolve(parseReference('example.com/app7:1'))).toEqual(image);
    await store.tag(image, parseReference('example.com/last:1'));
    expect(await names(store)).toEqual([...before, 'example.com/last:1']);
    expect(readIndexFile(join(dir, 'index.json'))).toHaveLength(SOME + 1);
    expect(await store.check()).toMatchObject({ ok: true });
  });
}

it('is made anew once by many who find it damaged, and no name of theirs is lost', async () => {
  const { dir, store, database } = await storeWithNames();
  writeFileSync(database, 'not a database'.repeat(1000));
  const script = join(import.meta.dirname, 'write-images.ts');
  const ends = ['a', 'b', 'c', 'd'].map(async (worker) => {
    const child = spawn(process.execPath, [script, dir, worker, '1'], { stdio: 'inherit' });
    await once(child, 'exit');
    return child.exitCode;
  });
  expect(await Promise.all(ends)).toEqual([0, 0, 0, 0]);
  expect(await store.list()).toHaveLength(SOME + 5);
  expect(await store.check()).toMatchObject({ ok: true });
}, 240_000);

it('says what to do when it is damaged and there is no index.json', async () => {
  const { dir, store, image, database } = await storeWithNames();
  writeFileSync(database, 'not a database'.repeat(1000));
  rmSync(join(dir, 'index.json'));
  const failure = { code: 'STORE_INVALID', hint: expect.stringContaining('remove') };
  await expect(store.list()).rejects.toMatchObject(failure);
  await expect(store.tag(image, parseReference('other'))).rejects.toMatchObject(failure);
});

it('waits for the disk where a rename may come before the bytes', () => {
  expect(unforcedMark('/proc')).toBeUndefined();
  expect(unforcedMark('/nowhere/at/all')).toBeUndefined();
});
