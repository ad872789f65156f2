// inspect --attestations: what an index carries about a platform, from the store, an archive and a registry.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { readAttestations } from '../../src/client/attestations.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { inspect } from '../../src/client/inspect.ts';
import type { OpenedImage } from '../../src/client/open-image.ts';
import { pull } from '../../src/client/pull.ts';
import { save } from '../../src/client/save.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { describeImage } from '../../src/ui/describe-image.ts';
import {
  addBlob,
  addImage,
  addIndex,
  type MemoryPlace,
  memoryPlace,
  nameImage,
} from '../support/image-builder.ts';

let dir: string;
let served: StoreServer;
let client: Client;
let name: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-attestations-'));
  const store = await openStore(join(dir, 'served'));
  served = await serveStore(store);
  client = createClient({ store: join(dir, 'store'), platform: 'linux/amd64' });
  name = `${new URL(served.url).host}/team/app:1`;
  const place = memoryPlace();
  const amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
  const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
  const entries = [amd64, arm64, attest(place, amd64), attest(place, arm64)];
  nameImage(place, parseReference(name), addIndex(place, entries));
  await createCopier(store).copy(place, parseReference(name), {
    allPlatforms: true,
    as: parseReference('team/app:1'),
  });
});
afterAll(async () => {
  await client.close();
  await served.close();
  rmSync(dir, { recursive: true, force: true });
});

/** An attestation manifest as BuildKit hangs it into the index. */
function attest(place: MemoryPlace, image: Descriptor, more: Descriptor[] = []): Descriptor {
  const layer = (predicateType: string, predicate: object): Descriptor => {
    const subject = [{ name: 'app', digest: { sha256: image.digest.slice('sha256:'.length) } }];
    const statement = { _type: 'https://in-toto.io/Statement/v0.1', subject, predicateType, predicate };
    return {
      ...addBlob(place, 'application/vnd.in-toto+json', statement),
      annotations: { 'in-toto.io/predicate-type': predicateType },
    };
  };
  const layers = [
    layer('https://spdx.dev/Document', { spdxVersion: 'SPDX-2.3', packages: [{}, {}, {}] }),
    layer('https://slsa.dev/provenance/v0.2', {
      builder: { id: 'https://ci.example.com/7' },
      materials: [{}],
    }),
    layer('https://example.com/scan', {}),
    ...more,
  ];
  const config = addBlob(place, OCI_CONFIG, {
    os: 'unknown',
    architecture: 'unknown',
    config: {},
    rootfs: {},
  });
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers };
  return {
    ...addBlob(place, OCI_MANIFEST, manifest),
    platform: { os: 'unknown', architecture: 'unknown' },
    annotations: {
      'vnd.docker.reference.type': 'attestation-manifest',
      'vnd.docker.reference.digest': image.digest,
    },
  };
}

const decoded = [
  { predicateType: 'https://spdx.dev/Document', matches: true, sbom: { packages: 3 } },
  { predicateType: 'https://slsa.dev/provenance/v0.2', provenance: { builder: 'https://ci.example.com/7' } },
  { predicateType: 'https://example.com/scan', matches: true },
];

test('at a registry: named without being read, decoded when asked for', async () => {
  const { attestations } = await inspect(client, `docker://${name}`);
  expect(attestations).toEqual([
    { digest: expect.any(String) as unknown, size: expect.any(Number) as unknown },
  ]);
  const read = await inspect(client, `docker://${name}`, { attestations: true });
  expect(read.attestations).toMatchObject([{ statements: decoded }]);
});

test('of a stored image that was pulled without them: from its registry', async () => {
  await pull(client, name);
  const { attestations } = await inspect(client, name, { attestations: true });
  expect(attestations).toMatchObject([{ statements: decoded }]);
});

test('in the store and in an archive: without a registry', async () => {
  const all = createClient({ store: join(dir, 'all') });
  try {
    await pull(all, name, { allPlatforms: true });
    await save(all, name, `oci-archive:${join(dir, 'all.tar')}`);
    const offline: Client = {
      ...all,
      platform: client.platform,
      repository: () => Promise.reject(new Error('a registry was asked')),
    };
    for (const image of [name, `oci-archive:${join(dir, 'all.tar')}`]) {
      const { attestations } = await inspect(offline, image, { attestations: true });
      expect(attestations).toMatchObject([{ statements: decoded }]);
    }
  } finally {
    await all.close();
  }
});

test('an image without attestations has none, and nothing is asked', async () => {
  const place = memoryPlace();
  nameImage(place, parseReference('plain:1'), addImage(place));
  await createCopier(await client.store()).copy(place, parseReference('plain:1'));
  expect((await inspect(client, 'plain:1', { attestations: true })).attestations).toEqual([]);
});

test('one that is too large is not read, one that is damaged is refused, one that is no statement is told', async () => {
  const place = memoryPlace();
  const image = addImage(place);
  const annotations = { 'in-toto.io/predicate-type': 'https://spdx.dev/Document' };
  const mediaType = 'application/vnd.in-toto+json';
  const large = { mediaType, digest: digestOf('large'), size: 33 << 20, annotations };
  const nothing = { ...addBlob(place, mediaType, '[1]'), annotations };
  const open = (entry: Descriptor): OpenedImage =>
    ({
      source: place,
      from: 'archive',
      descriptor: image,
      index: { schemaVersion: 2, manifests: [image, entry] },
    }) as unknown as OpenedImage;
  const [read] = await readAttestations(client, open(attest(place, image, [large, nothing])));
  expect(read?.statements?.slice(3)).toMatchObject([
    { digest: large.digest, problem: expect.stringContaining('not read') as unknown },
    { problem: 'not an in-toto statement' },
  ]);
  const damaged = { ...addBlob(place, mediaType, '{"predicateType":"x"}'), annotations };
  place.blobs.set(damaged.digest, Buffer.from('{"predicateType":"y"}'));
  await expect(readAttestations(client, open(attest(place, image, [damaged])))).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
  });
});

test('on a page of 80 columns', async () => {
  const told = await inspect(client, `docker://${name}`);
  expect(describeImage(told, 80)).toContain('Attestations  1, decoded with --attestations');
  const lines = describeImage(await inspect(client, `docker://${name}`, { attestations: true }), 80);
  expect(lines).toEqual(
    expect.arrayContaining([
      'SBOM          SPDX 2.3, 3 packages',
      'Provenance    SLSA 0.2, 1 material',
      '  Builder     https://ci.example.com/7',
      expect.stringMatching(/^Attestation {3}https:\/\/example.com\/scan, \d+B$/) as unknown,
    ]),
  );
});
