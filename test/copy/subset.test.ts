// A part of a multi-platform image in a place that wants its index whole: the index is written anew.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_INDEX } from '../../src/manifest/media-types.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { readDocument } from '../../src/place/read-document.ts';
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
let target: BlobStore;
let place: MemoryPlace;
const name = parseReference('example.com/app:1');
const amd64 = { os: 'linux', architecture: 'amd64' };
const arm64 = { os: 'linux', architecture: 'arm64' };

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-subset-'));
  target = await openStore(join(dir, 'target'));
  place = memoryPlace();
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** As BuildKit makes them: each image with an attestation that names it. */
function attestation(of: Descriptor): Descriptor {
  return {
    ...addImage(place),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': of.digest,
    },
  };
}

function buildKitImage() {
  const amd = { ...addImage(place), platform: amd64 };
  const arm = { ...addImage(place), platform: arm64 };
  const [amdProof, armProof] = [attestation(amd), attestation(arm)];
  const root = addBlob(place, OCI_INDEX, {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: [amd, arm, amdProof, armProof],
    annotations: { 'org.example.kept': 'yes' },
    'x-unknown': { kept: true },
  });
  nameImage(place, name, root);
  return { root, amd, arm, amdProof, armProof };
}

async function indexOf(descriptor: Descriptor) {
  const document = await readDocument(target, descriptor);
  if (document.kind !== 'index') throw new Error('not an index');
  return { json: JSON.parse(document.raw.toString()) as Record<string, unknown>, ...document.index };
}

describe('platforms chosen', () => {
  test('the index names them and their attestations, and keeps whatever else it had (skopeo#1694, ggcr#1434)', async () => {
    const { root, amd, amdProof } = buildKitImage();
    const result = await createCopier(target).copy(place, name, { platform: amd64, index: 'rewritten' });
    expect(result.root.digest).not.toBe(root.digest);
    const { manifests, json } = await indexOf(result.root);
    expect(manifests).toEqual([amd, amdProof]);
    expect(json).toMatchObject({ annotations: { 'org.example.kept': 'yes' }, 'x-unknown': { kept: true } });
    expect(await target.resolve(name)).toMatchObject({ digest: result.root.digest });
    expect((await target.check()).ok).toBe(true);
  });

  test('all that there are: the same digest', async () => {
    const { root } = buildKitImage();
    const result = await createCopier(target).copy(place, name, {
      platform: [amd64, arm64],
      index: 'rewritten',
    });
    expect(result.root).toEqual(root);
  });

  test('one that is not there: nothing is copied', async () => {
    buildKitImage();
    const platform = [amd64, { os: 'linux', architecture: 's390x' }];
    await expect(
      createCopier(target).copy(place, name, { platform, index: 'rewritten' }),
    ).rejects.toMatchObject({
      code: 'PLATFORM_NOT_FOUND',
    });
    expect(await target.list()).toEqual([]);
  });

  test('in a nested index: both are written anew', async () => {
    const amd = { ...addImage(place), platform: amd64 };
    const arm = { ...addImage(place), platform: arm64 };
    const inner = addIndex(place, [amd, arm]);
    const outer = addIndex(place, [{ ...inner, platform: amd64 }]);
    nameImage(place, name, outer);
    const { root } = await createCopier(target).copy(place, name, { platform: amd64, index: 'rewritten' });
    const [child] = (await indexOf(root)).manifests;
    expect(child).toMatchObject({ platform: amd64 });
    expect((await indexOf(child!)).manifests).toEqual([amd]);
  });
});

describe('a store that holds some platforms', () => {
  async function pulled(): Promise<BlobStore> {
    const store = await openStore(join(dir, 'pulled'));
    await createCopier(store).copy(place, name, { platform: amd64 });
    return store;
  }

  test('gives those, and says so', async () => {
    const { amd } = buildKitImage();
    const events: ProgressEvent[] = [];
    const copier = createCopier(target, { onProgress: (event) => events.push(event) });
    const { root } = await copier.copy(await pulled(), name, { held: true, index: 'rewritten' });
    expect((await indexOf(root)).manifests).toEqual([amd]);
    expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining('1 of 2 platforms') });
  });

  test('does not give all of them: the error names a blob, and nothing is tagged', async () => {
    buildKitImage();
    const copied = createCopier(target).copy(await pulled(), name, { allPlatforms: true });
    await expect(copied).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    expect(await target.list()).toEqual([]);
  });

  test('without the attestation of what is asked for: left out, with a warning', async () => {
    const { amd } = buildKitImage();
    const events: ProgressEvent[] = [];
    const copier = createCopier(target, { onProgress: (event) => events.push(event) });
    const { root } = await copier.copy(await pulled(), name, { platform: amd64, index: 'rewritten' });
    expect((await indexOf(root)).manifests).toEqual([amd]);
    expect(events).toContainEqual({ type: 'warning', message: expect.stringContaining('attestation') });
  });
});

test('a tag that moves while it is copied: what arrives is one image, whole', async () => {
  const first = addImage(place);
  const second = addImage(place);
  nameImage(place, name, first);
  place.onFetch = () => nameImage(place, name, second);
  const { root } = await createCopier(target).copy(place, name);
  expect(root).toEqual(first);
  expect((await target.check()).ok).toBe(true);
});
