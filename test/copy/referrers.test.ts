// Carrying referrers along, from sources that say what is not so, or more than anybody has.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { type CopiedReferrers, copyReferrers } from '../../src/copy/referrers.ts';
import { artifactManifest, EMPTY } from '../../src/manifest/artifact.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addBlob, addImage, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';

const name = parseReference('team/app:1');

/** A place that lists what it is told to. */
type Listing = MemoryPlace & { lists: Map<Digest, Descriptor[]>; asked: Digest[] };

function listingPlace(): Listing {
  const lists = new Map<Digest, Descriptor[]>();
  const asked: Digest[] = [];
  const referrers = async (subject: Digest): Promise<Descriptor[]> => {
    asked.push(subject);
    return lists.get(subject) ?? [];
  };
  return Object.assign(memoryPlace(), { lists, asked, referrers });
}

function addArtifact(place: MemoryPlace, subject: Descriptor, note = ''): Descriptor {
  addBlob(place, EMPTY.mediaType, '{}');
  return addBlob(
    place,
    OCI_MANIFEST,
    artifactManifest({ artifactType: 'a/sig', layers: [EMPTY], subject, annotations: { note } }),
  );
}

let dir: string;
let store: BlobStore;
let place: Listing;
let image: Descriptor;
let warnings: string[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-referrers-'));
  store = await openStore(dir);
  place = listingPlace();
  image = addImage(place);
  nameImage(place, name, image);
  warnings = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function copyAll(): Promise<CopiedReferrers> {
  const copied = await createCopier(store).copy(place, name);
  const request = { source: place, target: store, root: image, copied, name, as: name };
  return await copyReferrers(request, {
    onProgress: (event) => void (event.type === 'warning' && warnings.push(event.message)),
  });
}

test('what is listed and refers to something else is left out and told', async () => {
  const other = addImage(place);
  const good = addArtifact(place, image);
  const bad = addArtifact(place, other);
  place.lists.set(image.digest, [
    good,
    bad,
    addImage(place),
    { ...good, mediaType: 'application/octet-stream' },
  ]);
  expect(await copyAll()).toMatchObject({ referrers: [good.digest] });
  expect(warnings).toHaveLength(2);
  expect(warnings[0]).toContain(bad.digest);
  expect((await store.referrers(image.digest)).map(({ digest }) => digest)).toEqual([good.digest]);
  expect(await store.referrers(other.digest)).toEqual([]);
});

test('two that are said to refer to each other are each asked about once', async () => {
  const first = addArtifact(place, image, 'first');
  const second = addArtifact(place, first, 'second');
  place.lists.set(image.digest, [first]);
  place.lists.set(first.digest, [second]);
  place.lists.set(second.digest, [first]);
  expect((await copyAll()).referrers).toEqual([first.digest, second.digest]);
  expect(place.asked).toEqual([image.digest, first.digest, second.digest]);
});

test('a chain without end, or a list of thousands: LIMIT_EXCEEDED', async () => {
  let last = image;
  for (let i = 0; i < 10; i += 1) {
    const next = addArtifact(place, last, `${i}`);
    place.lists.set(last.digest, [next]);
    last = next;
  }
  await expect(copyAll()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
  const many = Array.from({ length: 1001 }, (_, i) => addArtifact(place, image, `${i}`));
  place.lists.clear();
  place.lists.set(image.digest, many);
  await expect(copyAll()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
});

test('bytes of a referrer that are wrong are refused', async () => {
  const sbom = addArtifact(place, image);
  place.lists.set(image.digest, [sbom]);
  place.blobs.set(
    sbom.digest,
    Buffer.from(place.blobs.get(sbom.digest)!.toString().replace('a/sig', 'b/sig')),
  );
  await expect(copyAll()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(await store.referrers(image.digest)).toEqual([]);
});
