// Nothing is asked twice in one run: the requests of pulls and copies, counted in front of a real registry.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../src/client/client.ts';
import { copyImage } from '../../src/client/copy-image.ts';
import { pull } from '../../src/client/pull.ts';
import { push } from '../../src/client/push.ts';
import { createCopier } from '../../src/copy/copier.ts';
import { hostPlatform } from '../../src/manifest/platform.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { behind, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';

const LAYERS = 4;
/** Layers and a config. */
const BLOBS = LAYERS + 1;

describe.skipIf(!hasTools('docker-registry'))('requests', () => {
  let dir: string;
  let registry: DockerRegistry;
  let proxy: FaultProxy;
  let client: Client;

  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry.close());
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ocitool-asked-'));
    proxy = await startFaultProxy(behind(registry.address));
    client = createClient({ store: join(dir, 'store'), transport: { plainHttp: true } });
  });
  afterEach(async () => {
    await client.close();
    await proxy.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** An image in the registry, alone or in an index of two; not through the proxy. */
  async function seed(repository: string, kind: 'image' | 'index'): Promise<string> {
    const place = memoryPlace();
    const here = hostPlatform();
    const platform = (architecture: string) => ({ ...here, architecture });
    const layers = Array.from({ length: LAYERS }, () => randomBytes(20_000));
    const image = addImage(place, { layers, platform: here });
    const other = addImage(place, { platform: platform('s390x') });
    const root =
      kind === 'image'
        ? image
        : addIndex(place, [
            { ...image, platform: here },
            { ...other, platform: platform('s390x') },
          ]);
    const name = parseReference(`${registry.address}/${repository}:1`);
    nameImage(place, name, root);
    const target = await client.repository(name, 'push');
    await createCopier(target).copy(place, name, { allPlatforms: true });
    return `${proxy.address}/${repository}:1`;
  }

  /** Method and path of what was asked for since the last call. */
  function asked(): string[] {
    return proxy.requests.splice(0).map(({ method, path }) => `${method} ${path}`);
  }

  test.each(['image', 'index'] as const)('of a pull of an %s: one for each blob and three', async (kind) => {
    const name = await seed(`pull-${kind}`, kind);
    await pull(client, name);
    const requests = asked();
    expect(requests.filter((request, i) => requests.indexOf(request) !== i)).toEqual([]);
    expect(requests.length).toBeLessThanOrEqual(BLOBS + 3);
  });

  test.each(['image', 'index'] as const)('of a pull of an %s that is there: one HEAD', async (kind) => {
    const name = await seed(`again-${kind}`, kind);
    await pull(client, name);
    asked();
    await pull(client, name);
    expect(asked()).toEqual([`HEAD /v2/again-${kind}/manifests/1`]);
  });

  test.each(['image', 'index'] as const)(
    'of a copy of an %s that is there: one for each blob and three',
    async (kind) => {
      const name = await seed(`copy-${kind}`, kind);
      const copy = () => copyImage(client, name, name.replace(':1', '-copied:1'));
      await copy();
      const first = asked();
      expect(first.filter((request, i) => request.startsWith('GET') && first.indexOf(request) !== i)).toEqual(
        [],
      );
      await copy();
      const second = asked();
      // Of an index also the other platform's three blobs, and a HEAD and a GET for each manifest.
      const all = kind === 'image' ? BLOBS : BLOBS + 3 + 4;
      expect(second.length).toBeLessThanOrEqual(all + 3);
      expect(second.filter((request) => /^(PUT|POST|PATCH)/.test(request))).toEqual([]);
      expect(second.filter((request, i) => second.indexOf(request) !== i)).toEqual([]);
    },
  );

  test('of a push of what is there: one for each blob and three', async () => {
    const name = await seed('pushed', 'image');
    await pull(client, name);
    asked();
    await push(client, name);
    const requests = asked();
    expect(requests.length).toBeLessThanOrEqual(BLOBS + 3);
    expect(requests.filter((request) => /^(PUT|POST|PATCH)/.test(request))).toEqual([]);
  });
});
