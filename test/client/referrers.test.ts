// Attaching files to images and carrying what refers to them along: between a registry without the referrers API (Debian's
// docker-registry), one with it (our serve), the store, layouts and archives.
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { attach } from '../../src/client/attach.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { load } from '../../src/client/load.ts';
import { pull } from '../../src/client/pull.ts';
import { push } from '../../src/client/push.ts';
import { referrers } from '../../src/client/referrers.ts';
import { save } from '../../src/client/save.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';

const SBOM = 'application/spdx+json';
const SIGNATURE = 'application/vnd.example.signature';

let dir: string;
let served: StoreServer;
let client: Client;
/** `127.0.0.1:PORT` of our serve. */
let api: string;
let file: (name: string, content?: string) => string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-referrers-'));
  served = await serveStore(await openStore(join(dir, 'served')));
  api = new URL(served.url).host;
  client = createClient({ store: join(dir, 'store') });
  file = (name, content = name) => {
    const path = join(dir, name);
    writeFileSync(path, content);
    return path;
  };
});
afterAll(async () => {
  await client.close();
  await served.close();
  rmSync(dir, { recursive: true, force: true });
});

/** A two-platform image in the store under this name; the client's copy of it chooses arm64. */
async function storedImage(name: string): Promise<void> {
  const place = memoryPlace();
  const amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
  const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
  nameImage(place, parseReference(name), addIndex(place, [amd64, arm64]));
  await createCopier(await client.store()).copy(place, parseReference(name), { allPlatforms: true });
}

/** An image with an SBOM on the whole and a signature of the SBOM, and a signature on one platform. */
async function signedImage(name: string, image: string): Promise<void> {
  await storedImage(name);
  if (image.startsWith('docker://')) await push(client, name, image);
  const sbom = await attach(client, image, [`${file('sbom.json')}:${SBOM}`], { artifactType: SBOM });
  const repository = image.slice(0, image.lastIndexOf(':'));
  await attach(client, `${repository}@${sbom.root.digest}`, [file('a.sig')], { artifactType: SIGNATURE });
  const arm64 = { ...client, platform: async () => ({ os: 'linux', architecture: 'arm64' }) };
  await attach(arm64, image, [file('b.sig')], { artifactType: SIGNATURE });
}

async function types(image: string): Promise<(string | undefined)[]> {
  return (await referrers(client, image)).referrers.map(({ artifactType }) => artifactType);
}

describe.skipIf(!hasTools('docker-registry'))('from place to place', () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.close());

  const sources = ['registry without the API', 'registry with it', 'store'] as const;
  const targets = [
    'registry without the API',
    'registry with it',
    'new layout',
    'layout that is there',
    'archive',
    'store',
  ] as const;
  const table = sources.flatMap((from) =>
    targets.filter((to) => to !== from).map((to, i) => [from, to, i] as const),
  );

  test.each(table)('%s to %s: all that refers to the image is found there', async (from, to, i) => {
    const name = `${from === 'registry with it' ? api : registry.address}/from/${sources.indexOf(from)}-${i}:1`;
    const image = from === 'store' ? name : `docker://${name}`;
    await signedImage(name, image);
    let moved: string;
    let copied: string[] | undefined;
    if (to === 'store') {
      moved = name;
      client = createClient({ store: join(dir, `store-${from}`) });
      const [pulled] = await pull(client, image, { allPlatforms: true, referrers: true });
      copied = pulled?.referrers;
    } else {
      const path = join(dir, `${sources.indexOf(from)}-${i}`);
      moved = {
        'registry without the API': `docker://${registry.address}/to/${i}:1`,
        'registry with it': `docker://${api}/to/${sources.indexOf(from)}:1`,
        'new layout': `oci:${path}`,
        'layout that is there': `oci:${path}:app`,
        archive: `oci-archive:${path}`,
      }[to];
      if (to === 'layout that is there') await storeAt(path);
      copied = (await copyImage(client, image, moved, { referrers: true })).referrers;
    }
    expect(copied).toHaveLength(3);
    expect(await types(moved)).toEqual([SBOM]);
    const sbom = (await referrers(client, moved)).referrers[0]!;
    const repository = /^(oci[^:]*:[^:]*|.*(?=:[^:/]*$))/.exec(moved)![1]!;
    expect(await types(`${repository}@${sbom.digest}`)).toEqual([SIGNATURE]);
    const arm64 = { ...client, platform: async () => ({ os: 'linux', architecture: 'arm64' }) };
    expect((await referrers(arm64, moved)).referrers).toHaveLength(1);
  });

  async function storeAt(path: string): Promise<void> {
    const place = memoryPlace();
    nameImage(place, parseReference('other:1'), addImage(place));
    await createCopier(await openStore(path)).copy(place, parseReference('other:1'));
  }

  test('through an archive and back into a store', async () => {
    const name = 'signed/app:1';
    await signedImage(name, name);
    const archive = `oci-archive:${join(dir, 'signed.tar')}`;
    await save(client, name, archive, { referrers: true });
    const other = createClient({ store: join(dir, 'loaded') });
    try {
      const loaded = await load(other, archive, undefined, { referrers: true });
      expect(loaded).toMatchObject([{ reference: parseReference(name) }]);
      expect(loaded[0]?.referrers).toHaveLength(3);
      expect((await referrers(other, name)).referrers).toMatchObject([{ artifactType: SBOM }]);
    } finally {
      await other.close();
    }
  });

  test('some platforms only: what refers to them goes along, and what refers to the whole is told', async () => {
    const name = `${registry.address}/some/from:1`;
    await signedImage(name, `docker://${name}`);
    const warnings: string[] = [];
    const telling: Client = {
      ...client,
      onProgress: (event) => void (event.type === 'warning' && warnings.push(event.message)),
    };
    const platforms = ['linux/arm64'];
    const to = `${registry.address}/some/to:1`;
    const copied = await copyImage(telling, `docker://${name}`, to, { platforms, referrers: true });
    expect(copied.referrers).toHaveLength(1);
    expect(warnings).toEqual([expect.stringContaining('1 artifact refers to its whole index')]);
  });

  test('a second time nothing is sent, and what the fallback tag had lost is in it again', async () => {
    const name = `${registry.address}/twice/from:1`;
    await signedImage(name, `docker://${name}`);
    const to = `${registry.address}/twice/to:1`;
    await copyImage(client, `docker://${name}`, to, { referrers: true });
    const { root, ...again } = await copyImage(client, `docker://${name}`, to, { referrers: true });
    expect(again).toMatchObject({
      transferred: 0,
      referrers: expect.objectContaining({ length: 3 }) as unknown,
    });
    const repository = await client.repository(parseReference(to), 'push');
    await repository.remove({
      registry: repository.registry,
      repository: repository.repository,
      digest: (await repository.resolve({ ...parseReference(to), tag: root.digest.replace(':', '-') }))
        .digest,
    });
    expect(await types(`docker://${to}`)).toEqual([]);
    await copyImage(client, `docker://${name}`, to, { referrers: true });
    expect(await types(`docker://${to}`)).toEqual([SBOM]);
  });
});

describe('attaching', () => {
  beforeAll(() => storedImage('app:1'));

  test('the same files twice are one artifact', async () => {
    const one = await attach(client, 'app:1', [file('report')], { artifactType: SBOM });
    const two = await attach(client, 'app:1', [file('report')], { artifactType: SBOM });
    expect(two.root.digest).toBe(one.root.digest);
    expect(await types('app:1')).toEqual([SBOM]);
  });

  test('an artifact in the store is whole, not listed as an image, and outlives a gc as long as its image', async () => {
    const store = await client.store();
    expect((await store.list()).map(({ name }) => name)).not.toContain(undefined);
    await store.gc({ grace: 0 });
    expect(await types('app:1')).toEqual([SBOM]);
    expect(await store.check()).toMatchObject({ ok: true });
    await storedImage('gone:1');
    await attach(client, 'gone:1', [file('gone')], { artifactType: SBOM });
    const { digest } = await referrers(client, 'gone:1');
    await store.untag('gone:1');
    await store.untag('docker.io/library/gone:1');
    await store.gc({ grace: 0 });
    expect(await store.referrers(digest)).toEqual([]);
  });

  const wrong: [what: string, path: () => string, code: string][] = [
    ['a directory', () => dir, 'USAGE'],
    ['a device', () => '/dev/null', 'USAGE'],
    ['a file that is not there', () => join(dir, 'nowhere'), 'PATH_NOT_FOUND'],
  ];
  test.each(wrong)('%s: refused', async (_, path, code) => {
    await expect(attach(client, 'app:1', [path()], { artifactType: SBOM })).rejects.toMatchObject({ code });
  });

  test('two files of one name, or a type that is none: refused', async () => {
    mkdirSync(join(dir, 'other'), { recursive: true });
    writeFileSync(join(dir, 'other/report'), 'x');
    const both = [file('report'), join(dir, 'other/report')];
    await expect(attach(client, 'app:1', both, { artifactType: SBOM })).rejects.toMatchObject({
      code: 'USAGE',
    });
    await expect(attach(client, 'app:1', [file('report')], { artifactType: 'sbom' })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });

  test.each(['content', 'size', 'time'])(
    'a file whose %s changes on the way: nothing is attached',
    async (what) => {
      const path = file('changing', 'x'.repeat(3_000_000));
      const changing: Client = {
        ...client,
        onProgress: (event) => {
          if (event.type !== 'queued' || event.descriptor.size < 100) return;
          if (what === 'time') utimesSync(path, 1, 1);
          else writeFileSync(path, what === 'size' ? 'short' : 'y'.repeat(3_000_000));
        },
      };
      const before = await types('app:1');
      await expect(attach(changing, 'app:1', [path], { artifactType: SIGNATURE })).rejects.toMatchObject({
        code: 'IO',
        message: expect.stringContaining('changed while it was read') as unknown,
      });
      expect(await types('app:1')).toEqual(before);
    },
  );

  test('to an image of a layout', async () => {
    const layout = `oci:${join(dir, 'attached')}`;
    await save(client, 'app:1', layout);
    const before = (await referrers(client, layout)).referrers.length;
    const { root } = await attach(client, layout, [file('report')], { artifactType: SIGNATURE });
    const { referrers: after } = await referrers(client, layout);
    expect(after).toHaveLength(before + 1);
    expect(after.map(({ digest }) => digest)).toContain(root.digest);
  });

  test('an archive cannot be added to', async () => {
    await save(client, 'app:1', `oci-archive:${join(dir, 'app.tar')}`);
    const image = `oci-archive:${join(dir, 'app.tar')}`;
    await expect(attach(client, image, [file('report')], { artifactType: SBOM })).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});
