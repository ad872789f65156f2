// Every direction there is: from each kind of place to each other, by the verb that people would use.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { digest } from '../../src/client/documents.ts';
import { load } from '../../src/client/load.ts';
import { openImage } from '../../src/client/open-image.ts';
import { pull } from '../../src/client/pull.ts';
import { push } from '../../src/client/push.ts';
import { save } from '../../src/client/save.ts';
import { tag } from '../../src/client/tag.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { createVerifier } from '../../src/place/verify.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';

const PLACES = ['registry', 'store', 'oci', 'oci-archive', 'docker-archive'] as const;
type Place = (typeof PLACES)[number];

describe.skipIf(!hasTools('docker-registry'))('all directions', () => {
  let dir: string;
  let registry: DockerRegistry;
  let client: Client;
  /** IMAGE for each kind of place, all the same image. */
  let image: Record<Place, string>;
  let index: Descriptor;
  let amd64: Descriptor;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ocitool-directions-'));
    registry = await startDockerRegistry();
    client = createClient({ store: join(dir, 'store'), platform: undefined });
    const place = memoryPlace();
    amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
    const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
    index = addIndex(place, [amd64, arm64]);
    const stored = `${registry.address}/team/app:stored`;
    nameImage(place, parseReference(stored), index);
    await createCopier(await client.store()).copy(place, parseReference(stored), { allPlatforms: true });
    image = {
      registry: `docker://${registry.address}/team/source:1`,
      store: stored,
      oci: `oci:${dir}/source`,
      'oci-archive': `oci-archive:${dir}/source.oci.tar`,
      'docker-archive': `docker-archive:${dir}/source.docker.tar`,
    };
    await push(client, stored, image.registry);
    await save(client, stored, image.oci);
    await save(client, stored, image['oci-archive']);
    await save(client, stored, image['docker-archive'], { platforms: ['linux/amd64'] });
  });
  afterAll(async () => {
    await client.close();
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Moves it and gives IMAGE of where it is now. */
  async function move(from: Place, to: Place): Promise<string> {
    const source = image[from];
    const platforms = to === 'docker-archive' ? { platforms: ['linux/amd64'] } : {};
    const name = `${registry.address}/made/${from}-${to}:1`;
    switch (to) {
      case 'store':
        if (from === 'store') await tag(client, source, name);
        else if (from !== 'registry') await load(client, source, name);
        else {
          await pull(client, source, { allPlatforms: true });
          return source.slice('docker://'.length);
        }
        return name;
      case 'registry':
        if (from === 'registry') await copyImage(client, source, name);
        else await push(client, source, name);
        return `docker://${name}`;
      default: {
        const destination = `${to}:${dir}/${from}-${to}`;
        if (from === 'store') await save(client, source, destination, platforms);
        else await copyImage(client, source, destination, platforms);
        return destination;
      }
    }
  }

  const table = PLACES.flatMap((from) => PLACES.map((to) => [from, to] as const));

  test.each(table)('%s to %s', async (from, to) => {
    const moved = await move(from, to);
    // A docker-archive has one platform; everything else keeps the index, and so the digest.
    const whole = from !== 'docker-archive' && to !== 'docker-archive';
    expect(await digest(client, moved)).toBe((whole ? index : amd64).digest);
    const linux = { ...client, platform: async () => ({ os: 'linux', architecture: 'amd64' }) };
    const opened = await openImage(linux, moved);
    try {
      expect(opened.descriptor.digest).toBe(amd64.digest);
      for (const layer of opened.manifest.layers) {
        const verifier = createVerifier(layer);
        for await (const chunk of await opened.source.fetch(layer)) verifier.update(chunk as Buffer);
        verifier.end();
      }
    } finally {
      await opened.close();
    }
  });

  test('and the store is whole after all of them', async () => {
    expect(await (await openStore(join(dir, 'store'))).check()).toMatchObject({ ok: true });
  });
});
