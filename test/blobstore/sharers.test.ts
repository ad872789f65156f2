// Who else has a layer, for `layers`.
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { sharersOf } from '../../src/blobstore/sharers.ts';
import { openStore } from '../../src/blobstore/store.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

const base = Buffer.from('base');
const [amd64, arm64] = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));

it('names the other images that have the blob, each of their names once', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const one = addImage(place, { layers: [base, Buffer.from('one')] });
  const two = addImage(place, { layers: [base, base, Buffer.from('two')] });
  const index = addIndex(place, [
    { ...addImage(place, { layers: [base], platform: amd64! }), platform: amd64! },
    { ...addImage(place, { layers: [base, Buffer.from('x')], platform: arm64! }), platform: arm64! },
  ]);
  await fill(store, place, one, 'example.com/one:1');
  await fill(store, place, two, 'example.com/two:2');
  await store.tag(two, parseReference('example.com/two:1'));
  await fill(store, place, index, 'example.com/index:1');
  const layers = [base, Buffer.from('one')].map((bytes) => digestOf(bytes));
  expect(Object.fromEntries(sharersOf(store, layers, one.digest))).toEqual({
    [layers[0]!]: ['example.com/index:1', 'example.com/two:1', 'example.com/two:2'],
    [layers[1]!]: [],
  });
});

it('names nobody for a blob that is not there, nor an image whose manifest is not', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  const one = addImage(place, { layers: [base] });
  const two = addImage(place, { layers: [base, Buffer.from('two')] });
  await fill(store, place, one, 'example.com/one:1');
  await fill(store, place, two, 'example.com/two:1');
  const [shared, own] = [base, Buffer.from('two')].map((bytes) => digestOf(bytes));
  const none = digestOf('an image not in the store');
  rmSync(blobPath(storePaths(store.dir), own!));
  rmSync(blobPath(storePaths(store.dir), one.digest));
  expect([...sharersOf(store, [shared!, own!], none).values()]).toEqual([['example.com/two:1'], []]);
});
