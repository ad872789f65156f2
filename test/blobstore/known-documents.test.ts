import { rmSync, statSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { openKnownDocuments } from '../../src/blobstore/known-documents.ts';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { openStore } from '../../src/blobstore/store.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { addImage, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

const MANY = 10_000;

async function stored(images: number) {
  const store = await openStore(scratch());
  const paths = storePaths(store.dir);
  const place = memoryPlace();
  const roots: Descriptor[] = [];
  for (let i = 0; i < images; i += 1) {
    const image = addImage(place, {
      layers: [Buffer.from(`layer ${i}`)],
      platform: { os: 'linux', architecture: 'arm64' },
    });
    await fill(store, place, image, `image:${i}`);
    roots.push(image);
  }
  const readAll = (wanted = roots, count = MANY) => {
    const documents = openKnownDocuments(paths, count);
    const read = wanted.map((root) => documents.read(root));
    documents.close();
    return read;
  };
  return { paths, roots, readAll };
}

it('says of a manifest what its file says, when the file is not asked any more', async () => {
  const { paths, roots, readAll } = await stored(3);
  const first = readAll();
  expect(first[0]).toMatchObject({
    kind: 'manifest',
    facts: { platform: { os: 'linux', architecture: 'arm64' } },
  });
  for (const { digest } of roots) rmSync(blobPath(paths, digest));
  const again = readAll();
  const told = (documents: typeof first) =>
    documents.map((document) => {
      if (document?.kind !== 'manifest') return document;
      const { facts, config, layers } = document;
      return { facts, blobs: [config, ...layers].map(({ digest, size }) => ({ digest, size })) };
    });
  expect(told(again)).toEqual(told(first));
});

it('keeps nothing for a few images', async () => {
  const { paths, readAll } = await stored(1);
  readAll(undefined, 5);
  expect(statSync(paths.documents, { throwIfNoEntry: false })).toBeUndefined();
});

it('is made again when it is damaged', async () => {
  const { paths, readAll } = await stored(2);
  const first = readAll();
  writeFileSync(paths.documents, 'no database at all, but long enough to be looked at'.repeat(100));
  expect(readAll()).toEqual(first);
  expect(readAll()).toHaveLength(2);
});

it('forgets what is gone when that is more than half', async () => {
  const { paths, roots, readAll } = await stored(5);
  readAll();
  const size = () => openRows(paths.documents);
  expect(size()).toBe(5);
  readAll(roots.slice(0, 4));
  expect(size()).toBe(5);
  readAll(roots.slice(0, 1));
  expect(size()).toBe(1);
});

function openRows(path: string): number {
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return Number(database.prepare('SELECT count(*) AS n FROM manifests').get()?.n);
  } finally {
    database.close();
  }
}
