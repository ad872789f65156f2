import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { isOciError, OciError } from '../../src/errors.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { parseReference } from '../../src/reference/reference.ts';
import {
  addBlob,
  addImage,
  addIndex,
  type MemoryPlace,
  memoryPlace,
  nameImage,
} from '../support/image-builder.ts';

let dir: string;
let store: BlobStore;
let place: MemoryPlace;
const name = parseReference('example.com/app:1');

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-copier-'));
  store = await openStore(dir);
  place = memoryPlace();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const linux = (architecture: string, variant?: string) => ({
  os: 'linux',
  architecture,
  ...(variant && { variant }),
});

describe('what is copied', () => {
  test('a single image: documents, config and layers, and then its name', async () => {
    const root = addImage(place);
    nameImage(place, name, root);
    const result = await createCopier(store).copy(place, name);
    expect(result).toMatchObject({ root, manifests: [root], reused: 0 });
    expect(await store.resolve(name)).toMatchObject({ digest: root.digest });
    expect((await store.check()).ok).toBe(true);
  });

  test('one platform of an index, which is kept as the registry has it', async () => {
    const arm = addImage(place, { platform: linux('arm', 'v7') });
    const amd = addImage(place);
    const root = addIndex(place, [
      { ...amd, platform: linux('amd64') },
      { ...arm, platform: linux('arm', 'v7') },
    ]);
    nameImage(place, name, root);
    const result = await createCopier(store).copy(place, name, { platform: linux('arm', 'v7') });
    expect(result.manifests.map(({ digest }) => digest)).toEqual([arm.digest]);
    expect(await store.has(amd)).toBe(false);
    expect(await store.has(root)).toBe(true);
  });

  test('all platforms, attestations included', async () => {
    const images = [addImage(place), addImage(place, { platform: linux('arm64') })];
    const attestation = addImage(place, { platform: { os: 'unknown', architecture: 'unknown' } });
    const root = addIndex(place, [
      { ...images[0]!, platform: linux('amd64') },
      { ...images[1]!, platform: linux('arm64') },
      { ...attestation, platform: { os: 'unknown', architecture: 'unknown' } },
    ]);
    nameImage(place, name, root);
    const result = await createCopier(store).copy(place, name, { allPlatforms: true });
    expect(result.manifests).toHaveLength(3);
    for (const digest of place.blobs.keys()) expect(place.fetched).toContain(digest);
  });

  test('no such platform: nothing is stored, and the error lists what there is', async () => {
    const root = addIndex(place, [{ ...addImage(place), platform: linux('amd64') }]);
    nameImage(place, name, root);
    const copied = createCopier(store).copy(place, name, { platform: linux('s390x') });
    await expect(copied).rejects.toMatchObject({
      code: 'PLATFORM_NOT_FOUND',
      hint: expect.stringContaining('linux/amd64'),
    });
    expect(await store.list()).toEqual([]);
  });

  test('an index that contains itself ends', async () => {
    const child = addImage(place);
    const inner = addIndex(place, [child]);
    const root = addIndex(place, [inner, child]);
    nameImage(place, name, root);
    const result = await createCopier(store).copy(place, name, { allPlatforms: true });
    expect(result.manifests).toHaveLength(1);
  });

  test('indexes nested without end are refused', async () => {
    let root = addImage(place);
    for (let depth = 0; depth < 8; depth += 1) root = addIndex(place, [root]);
    nameImage(place, name, root);
    await expect(createCopier(store).copy(place, name, { allPlatforms: true })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
    });
  });
});

describe('what is not fetched again', () => {
  test('a second copy asks only for the name', async () => {
    nameImage(place, name, addImage(place));
    const copier = createCopier(store);
    await copier.copy(place, name);
    place.fetched.length = 0;
    const again = await copier.copy(place, name);
    expect(place.fetched).toEqual([]);
    expect(again.transferred).toBe(0);
  });

  test('a blob that two images want at once is fetched once', async () => {
    const shared = randomBytes(50_000);
    const other = parseReference('example.com/app:2');
    nameImage(place, name, addImage(place, { layers: [shared, randomBytes(100)] }));
    nameImage(place, other, addImage(place, { layers: [shared, randomBytes(100)] }));
    const copier = createCopier(store);
    await Promise.all([copier.copy(place, name), copier.copy(place, other)]);
    expect(new Set(place.fetched).size).toBe(place.fetched.length);
    expect(await store.list()).toHaveLength(2);
  });

  test('what an interrupted copy left is gone on with', async () => {
    const layer = randomBytes(10_000);
    const root = addImage(place, { layers: [layer] });
    nameImage(place, name, root);
    const [big] = [...place.blobs.entries()]
      .filter(([, bytes]) => bytes.equals(layer))
      .map(([digest]) => digest);
    const ingest = await store.ingest({ mediaType: 'x/y', digest: big!, size: layer.length });
    await ingest?.write(layer.subarray(0, 4000));
    await ingest?.suspend();
    const offsets: number[] = [];
    place.onFetch = (descriptor, offset) => void (descriptor.digest === big && offsets.push(offset));
    const events: ProgressEvent['type'][] = [];
    const result = await createCopier(store, { onProgress: (event) => events.push(event.type) }).copy(
      place,
      name,
    );
    expect(offsets).toEqual([4000]);
    expect(events).toContain('resumed');
    expect(result.reused).toBe(4000);
  });

  test('a partial blob that was wrong is fetched once more from its start', async () => {
    const layer = randomBytes(10_000);
    nameImage(place, name, addImage(place, { layers: [layer] }));
    const digest = [...place.blobs].find(([, bytes]) => bytes.equals(layer))![0];
    const ingest = await store.ingest({ mediaType: 'x/y', digest, size: layer.length });
    await ingest?.write(Buffer.alloc(4000));
    await ingest?.suspend();
    await createCopier(store).copy(place, name);
    expect(place.fetched.filter((one) => one === digest)).toHaveLength(2);
    expect((await store.check()).ok).toBe(true);
  });
});

describe('failures leave nothing half-done', () => {
  test('a blob with the wrong bytes', async () => {
    const root = addImage(place);
    nameImage(place, name, root);
    const victim = [...place.blobs.values()].find((bytes) => bytes.length === 5000)!;
    victim[17]! ^= 1;
    await expect(createCopier(store).copy(place, name)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await store.list()).toEqual([]);
    expect((await store.usage()).ingest.count).toBe(0);
  });

  test('a blob that ends early stays resumable', async () => {
    nameImage(place, name, addImage(place));
    const entry = [...place.blobs].find(([, bytes]) => bytes.length === 5000)!;
    place.blobs.set(entry[0], entry[1].subarray(0, 3000));
    await expect(createCopier(store).copy(place, name)).rejects.toMatchObject({ code: 'NETWORK' });
    place.blobs.set(entry[0], entry[1]);
    const offsets: number[] = [];
    place.onFetch = (descriptor, offset) => void (descriptor.digest === entry[0] && offsets.push(offset));
    await createCopier(store).copy(place, name);
    expect(offsets).toEqual([3000]);
  });

  test('a blob that never ends is cut off at its size', async () => {
    nameImage(place, name, addImage(place));
    const entry = [...place.blobs].find(([, bytes]) => bytes.length === 5000)!;
    place.blobs.set(entry[0], Buffer.concat([entry[1], Buffer.alloc(100_000)]));
    await expect(createCopier(store).copy(place, name)).rejects.toMatchObject({ code: 'SIZE_MISMATCH' });
  });

  test('the first failure stops the other blobs', async () => {
    nameImage(place, name, addImage(place, { layers: [randomBytes(9000), randomBytes(8000)] }));
    const big = [...place.blobs].find(([, bytes]) => bytes.length === 9000)![0];
    const small = [...place.blobs].find(([, bytes]) => bytes.length === 8000)![0];
    const stopped = Promise.withResolvers<void>();
    const fetch = place.fetch;
    place.fetch = async (descriptor, options) => {
      if (descriptor.digest === small) throw new OciError('DENIED', 'not for you');
      if (descriptor.digest !== big) return fetch(descriptor, options);
      options?.signal?.addEventListener('abort', () => stopped.resolve(), { once: true });
      await stopped.promise;
      throw options?.signal?.reason;
    };
    await expect(createCopier(store).copy(place, name)).rejects.toMatchObject({ code: 'DENIED' });
  });

  test('one image’s failure is not another’s, though they wait for the same blob', async () => {
    const shared = randomBytes(7000);
    const other = parseReference('example.com/app:2');
    const broken = addBlob(place, 'application/vnd.oci.image.layer.v1.tar', randomBytes(6000));
    nameImage(place, name, addImage(place, { layers: [shared, place.blobs.get(broken.digest)!] }));
    nameImage(place, other, addImage(place, { layers: [shared] }));
    place.blobs.delete(broken.digest);
    const copier = createCopier(store);
    const [first, second] = await Promise.allSettled([copier.copy(place, name), copier.copy(place, other)]);
    expect(first.status).toBe('rejected');
    expect(second.status).toBe('fulfilled');
  });

  test('the caller’s signal ends it with ABORTED', async () => {
    nameImage(place, name, addImage(place));
    const controller = new AbortController();
    place.onFetch = (descriptor) => void (descriptor.mediaType !== OCI_MANIFEST && controller.abort());
    const copied = createCopier(store, { signal: controller.signal }).copy(place, name);
    await expect(copied).rejects.toSatisfy((error) => isOciError(error, 'ABORTED'));
    expect(await store.list()).toEqual([]);
  });
});
