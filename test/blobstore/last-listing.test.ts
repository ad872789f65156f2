// A listing that is remembered says what one says that is worked out anew, whatever happened to the store in between.
import { existsSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { blobsStamp } from '../../src/blobstore/blobs-stamp.ts';
import { listImages, type StoredImage } from '../../src/blobstore/images.ts';
import { WORTH_KEEPING } from '../../src/blobstore/known-documents.ts';
import { openLastListing } from '../../src/blobstore/last-listing.ts';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { listRefs } from '../../src/blobstore/refs.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { isOciError } from '../../src/errors.ts';
import type { Descriptor, Platform } from '../../src/manifest/descriptor.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addBlob, addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { fill, scratch } from './fill.ts';

// A directory counts only when its last change is seconds ago: here always.
beforeEach(() => {
  vi.useFakeTimers({ now: Date.now() + 3_600_000, toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
});

/** With so many names of images that are elsewhere that a listing is remembered. */
async function manyNames(): Promise<BlobStore> {
  const dir = scratch();
  const manifests = Array.from({ length: WORTH_KEEPING }, (_, i) => ({
    mediaType: OCI_MANIFEST,
    digest: digestOf(`image ${i}`),
    size: 7,
    annotations: { 'org.opencontainers.image.ref.name': `example.com/elsewhere:${i}` },
  }));
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(dir, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return openStore(dir);
}

/** What `images` would say had nobody ever listed this store. */
async function listAnew(store: BlobStore): Promise<StoredImage[]> {
  const { documents } = storePaths(store.dir);
  const aside = `${documents}.aside`;
  if (existsSync(documents)) renameSync(documents, aside);
  const listed = await listImages(store);
  rmSync(documents, { force: true });
  if (existsSync(aside)) renameSync(aside, documents);
  return listed;
}

/** Returns when the file system's clock has gone on, so that the next change has a time of its own. */
function awaitTick({ dir }: BlobStore): void {
  const probe = join(dir, 'ocitool/probe');
  const last = statSync(join(dir, 'blobs/sha256'), { bigint: true }).ctimeNs;
  do writeFileSync(probe, '');
  while (statSync(probe, { bigint: true }).ctimeNs <= last);
}

function isRemembered(store: BlobStore): boolean {
  const paths = storePaths(store.dir);
  const roots = new Map(listRefs(paths).map(({ descriptor }) => [descriptor.digest, descriptor]));
  return openLastListing(paths, [...roots.values()]).facts !== undefined;
}

type Step =
  | { do: 'add'; name: number; layers: number[]; platforms: Platform[]; lack: number[]; damaged: boolean }
  | { do: 'tag'; from: number; name: number }
  | { do: 'untag' | 'remove' | 'restore' | 'mend'; which: number }
  | { do: 'gc' };

const number = fc.nat({ max: 7 });
const platform = fc.constantFrom<Platform>(
  { os: 'linux', architecture: 'amd64' },
  { os: 'linux', architecture: 'arm64', variant: 'v8' },
  { os: 'unknown', architecture: 'unknown' },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      name: number,
      layers: fc.array(number, { minLength: 1, maxLength: 4 }),
      platforms: fc.array(platform, { maxLength: 3 }),
      lack: fc.array(fc.nat({ max: 9 }), { maxLength: 2 }),
      damaged: fc.boolean(),
    }),
  },
  fc.record({ do: fc.constant('tag' as const), from: number, name: number }),
  fc.record({
    do: fc.constantFrom('untag' as const, 'remove' as const, 'restore' as const),
    which: fc.nat({ max: 40 }),
  }),
  fc.record({ do: fc.constant('mend' as const), which: fc.nat({ max: 40 }) }),
  fc.record({ do: fc.constant('gc' as const) }),
);

/** A store with what was taken from it and what in it is damaged. */
function life(store: BlobStore) {
  const paths = storePaths(store.dir);
  const all = new Map<Digest, Buffer>();
  const damaged = new Set<Digest>();
  const pick = <T>(from: Iterable<T>, which: number): T | undefined => {
    const items = [...from];
    return items[which % items.length];
  };
  const there = () => [...all.keys()].filter((digest) => existsSync(blobPath(paths, digest)));
  const name = (i: number) => parseReference(`example.com/app:${i}`);
  const namesNow = async () =>
    (await store.list()).filter((entry) => entry.name?.startsWith('example.com/app'));

  return async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'add': {
        const place = memoryPlace();
        const layers = step.layers.map((i) => Buffer.alloc(10 + i, `layer ${i}`));
        const images = (step.platforms.length === 0 ? [undefined] : step.platforms).map((of, i) => {
          const image = addImage(place, {
            layers: i === 0 ? layers : layers.slice(1),
            ...(of && { platform: of }),
          });
          return of === undefined ? image : { ...image, platform: of };
        });
        const root: Descriptor = images.length === 1 ? images[0]! : addIndex(place, images);
        const fresh = [...place.blobs].filter(([digest]) => !all.has(digest));
        for (const [digest, bytes] of fresh) all.set(digest, bytes);
        for (const which of step.lack) {
          const digest = pick(place.blobs.keys(), which)!;
          if (digest !== root.digest) place.blobs.delete(digest);
        }
        // By somebody else: one who had counted on what gc took would be told so.
        await fill(await openStore(store.dir), place, root, `example.com/app:${step.name}`);
        // One that nobody has listed: what was read once is not read again.
        const document = pick(
          fresh.filter(([digest, bytes]) => place.blobs.has(digest) && bytes.includes('{')),
          step.name,
        );
        if (step.damaged && document !== undefined) {
          writeFileSync(blobPath(paths, document[0]), Buffer.alloc(document[1].length));
          damaged.add(document[0]);
        }
        return;
      }
      case 'tag': {
        const found = (await namesNow()).find((entry) => entry.name === `example.com/app:${step.from}`);
        if (found !== undefined) await store.tag(found.descriptor, name(step.name));
        return;
      }
      case 'untag': {
        const found = pick(await namesNow(), step.which);
        if (found?.name !== undefined) await store.untag(found.name);
        return;
      }
      case 'remove': {
        const digest = pick(there(), step.which);
        if (digest !== undefined) rmSync(blobPath(paths, digest));
        return;
      }
      case 'restore': {
        const digest = pick(all.keys(), step.which);
        if (digest !== undefined && !existsSync(blobPath(paths, digest)))
          writeFileSync(blobPath(paths, digest), all.get(digest)!);
        return;
      }
      case 'mend': {
        const digest = pick(damaged, step.which);
        if (digest === undefined || !existsSync(blobPath(paths, digest))) return;
        writeFileSync(blobPath(paths, digest), all.get(digest)!);
        damaged.delete(digest);
        return;
      }
      case 'gc':
        // It refuses a store in which a document is damaged.
        await store.gc({ grace: -1 }).catch((error: unknown) => {
          if (!isOciError(error, 'STORE_INVALID')) throw error;
        });
    }
  };
}

it('is what it would be anew after names, blobs and damage have come and gone', async () => {
  let remembered = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const store = await manyNames();
      const happen = life(store);
      for (const next of steps) {
        await happen(next);
        const listed = await listImages(store);
        expect(listed).toEqual(await listAnew(store));
        if (!existsSync(join(store.dir, 'blobs/sha256'))) continue;
        if (isRemembered(store)) remembered += 1;
        expect(await listImages(store)).toEqual(listed);
        awaitTick(store);
      }
    }),
    { numRuns: 30 },
  );
  expect(remembered).toBeGreaterThan(10);
}, 120_000);

it('is not remembered when blobs have changed a moment ago: another change may have the same time', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  await fill(store, place, addImage(place), 'example.com/app:1');
  const { ctimeMs } = statSync(join(store.dir, 'blobs/sha256'));
  vi.setSystemTime(ctimeMs + 1000);
  await listImages(store);
  expect(isRemembered(store)).toBe(false);
  vi.setSystemTime(ctimeMs + 3000);
  expect(isRemembered(store)).toBe(false);
  await listImages(store);
  expect(isRemembered(store)).toBe(true);
  // A clock that was set back tells nothing either.
  vi.setSystemTime(ctimeMs - 60_000);
  expect(isRemembered(store)).toBe(false);
});

it('is not that of the same image under a descriptor that says more', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  const image = addImage(place);
  const platform = { os: 'linux', architecture: 'riscv64' };
  await fill(store, place, image, 'example.com/app:1');
  await listImages(store);
  expect(isRemembered(store)).toBe(true);
  await store.tag({ ...image, platform }, parseReference('example.com/app:1'));
  expect(isRemembered(store)).toBe(false);
  expect((await listImages(store))[0]?.platforms).toEqual([platform]);
});

it('is worked out anew when what was kept of it is damaged', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  await fill(store, place, addImage(place), 'example.com/app:1');
  const listed = await listImages(store);
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
  const database = new DatabaseSync(storePaths(store.dir).documents);
  database.exec('UPDATE listing SET facts = substr(facts, 2)');
  database.close();
  expect(isRemembered(store)).toBe(false);
  expect(await listImages(store)).toEqual(listed);
  expect(isRemembered(store)).toBe(true);
});

it('is not kept while a document is damaged, which may be mended in its place', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  const image = addImage(place, { platform: { os: 'linux', architecture: 'arm64' } });
  await fill(store, place, image, 'example.com/app:1');
  const [config, bytes] = [...place.blobs].find(([, content]) => content.includes('arm64'))!;
  const path = blobPath(storePaths(store.dir), config);
  writeFileSync(path, '{');
  expect((await listImages(store))[0]?.platforms).toEqual([]);
  expect(isRemembered(store)).toBe(false);
  writeFileSync(path, bytes);
  expect((await listImages(store))[0]?.platforms).toEqual([{ os: 'linux', architecture: 'arm64' }]);
  expect(isRemembered(store)).toBe(true);
});

it('tells nothing of a config that has gone, though it was read once', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  await fill(store, place, addImage(place), 'example.com/app:1');
  expect((await listImages(store))[0]?.platforms).toHaveLength(1);
  const [config] = [...place.blobs].find(([, content]) => content.includes('rootfs'))!;
  rmSync(blobPath(storePaths(store.dir), config));
  const listed = await listImages(store);
  expect(listed[0]?.platforms).toEqual([]);
  expect(listed).toEqual(await listAnew(store));
});

it('is kept beside what is no image and never will be', async () => {
  const store = await manyNames();
  const place = memoryPlace();
  const type = 'application/vnd.example.v1+json';
  const artifact = addBlob(place, OCI_MANIFEST, {
    schemaVersion: 2,
    config: addBlob(place, type, '[]'),
    layers: [],
  });
  await fill(store, place, artifact, 'example.com/app:1');
  await fill(store, place, addBlob(place, type, 'neither index nor manifest'), 'example.com/app:2');
  await listImages(store);
  expect(isRemembered(store)).toBe(true);
});

it('is not asked for a few images, nor on a file system whose times are not known', async () => {
  const store = await openStore(scratch());
  const place = memoryPlace();
  await fill(store, place, addImage(place), 'example.com/app:1');
  await listImages(store);
  const paths = storePaths(store.dir);
  expect(existsSync(paths.documents)).toBe(false);
  expect(blobsStamp(paths)).toContain('sha256');
  expect(blobsStamp({ ...paths, blobs: '/proc/self/net' })).toBeUndefined();
});
