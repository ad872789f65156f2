// Sync between real places: both directions, what is the same, what fails, subsets, referrers, and two at once.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, type Dispatcher } from 'undici';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { attach } from '../../src/client/attach.ts';
import { type Client, createClient } from '../../src/client/client.ts';
import { digest } from '../../src/client/documents.ts';
import { pull } from '../../src/client/pull.ts';
import { push } from '../../src/client/push.ts';
import { referrers } from '../../src/client/referrers.ts';
import { type SyncOptions, type SyncResult, sync } from '../../src/client/sync.ts';
import { parseSyncFile } from '../../src/client/sync-file.ts';
import { tags } from '../../src/client/tags.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.ts';
import { addImage, addIndex, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools } from '../support/tools.ts';

describe.skipIf(!hasTools('docker-registry'))('sync', () => {
  let dir: string;
  let registry: DockerRegistry;
  let client: Client;
  let asked: string[];
  let host: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ocitool-sync-'));
    registry = await startDockerRegistry();
    host = registry.address;
    const count: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
      asked.push(`${options.method} ${options.path}`);
      return dispatch(options, handler);
    };
    const dispatcher = new Agent().compose(count);
    client = createClient({
      store: join(dir, 'store'),
      transport: { dispatcher, plainHttp: true, retry: { retries: 0 } },
    });
    asked = [];
    for (const tag of ['1.0', '1.1', '2.0', 'latest']) await pushImage(`${host}/team/app:${tag}`);
  });
  beforeEach(() => {
    asked = [];
  });
  afterAll(async () => {
    await client.close();
    await registry.close();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A new two-platform image at the registry, and in the store under this name. */
  async function pushImage(name: string): Promise<Descriptor> {
    const place = memoryPlace();
    const amd64 = { ...addImage(place), platform: { os: 'linux', architecture: 'amd64' } };
    const arm64 = { ...addImage(place), platform: { os: 'linux', architecture: 'arm64' } };
    const index = addIndex(place, [amd64, arm64]);
    nameImage(place, parseReference(name), index);
    await createCopier(await client.store()).copy(place, parseReference(name), { allPlatforms: true });
    await push(client, name);
    return index;
  }

  async function run(yaml: string, options: SyncOptions = {}): Promise<SyncResult[]> {
    return await sync(client, parseSyncFile(yaml, 'mirror.yaml'), options);
  }
  const statuses = (results: SyncResult[]): string[] => results.map(({ status }) => status);

  test('registry to registry; again: two HEAD requests a tag and nothing sent', async () => {
    const yaml = `- {source: ${host}/team/app, target: ${host}/mirror/app, tags: ['1.*', '2.0']}`;
    expect(statuses(await run(yaml, { dryRun: true }))).toEqual(['would copy', 'would copy', 'would copy']);
    expect(asked.filter((line) => /^(PUT|POST|PATCH)/.test(line))).toEqual([]);
    const results = await run(yaml);
    expect(results.map(({ source, status }) => [source, status])).toEqual([
      [`${host}/team/app:2.0`, 'copied'],
      [`${host}/team/app:1.1`, 'copied'],
      [`${host}/team/app:1.0`, 'copied'],
    ]);
    expect(await tags(client, `${host}/mirror/app`)).toEqual(['1.0', '1.1', '2.0']);
    asked = [];
    const again = await run(yaml);
    expect(again).toMatchObject([{ status: 'unchanged', transferred: 0 }, {}, {}]);
    expect(asked.filter((line) => !line.includes('/tags/list') && line !== 'GET /v2/')).toEqual(
      expect.arrayContaining([expect.stringMatching(/^HEAD .*manifests/) as unknown]),
    );
    expect(asked.filter((line) => line.startsWith('HEAD '))).toHaveLength(6);
    expect(asked.filter((line) => !/^HEAD |tags\/list|^GET \/v2\/$/.test(line))).toEqual([]);
  });

  test('a tag that moved is copied, and only that', async () => {
    await pushImage(`${host}/moving/app:1`);
    await pushImage(`${host}/moving/app:2`);
    const yaml = `- {source: ${host}/moving/app, target: ${host}/moved/app, tags: ['1', '2']}`;
    await run(yaml);
    const moved = await pushImage(`${host}/moving/app:2`);
    expect(statuses(await run(yaml))).toEqual(['unchanged', 'copied']);
    expect(await digest(client, `docker://${host}/moved/app:2`)).toBe(moved.digest);
  });

  test('to the store, on to a layout, and back to a registry', async () => {
    const yaml = `
- source: ${host}/team/app
  target: store:here/app
  semver: 1.x
- source: store:here/app
  target: oci:${dir}/layout
  tags: '*'
- source: oci:${dir}/layout
  target: ${host}/back/app
  tags: '*'
- source: oci:${dir}/layout:here/app:1.0
  target: ${host}/back/app:renamed
`;
    const results = await run(yaml);
    expect(statuses(results)).toEqual(Array.from({ length: 7 }, () => 'copied'));
    const expected = await digest(client, `docker://${host}/team/app:1.0`);
    for (const tag of ['1.0', 'renamed']) {
      expect(await digest(client, `docker://${host}/back/app:${tag}`)).toBe(expected);
    }
    expect(await digest(client, `oci:${dir}/layout:here/app:1.0`)).toBe(expected);
    expect(statuses(await run(yaml))).toEqual(Array.from({ length: 7 }, () => 'unchanged'));
    expect(await (await openStore(join(dir, 'layout'))).check()).toMatchObject({ ok: true });
  });

  test('a store that pulled one platform under the name lacks the others: a dry run says so', async () => {
    const place = `${host}/team/app:2.0`;
    const one = createClient({
      store: join(dir, 'one'),
      platform: 'linux/arm64',
      transport: { plainHttp: true },
    });
    const all = createClient({ store: join(dir, 'one'), transport: { plainHttp: true } });
    try {
      await pull(one, place);
      const entries = parseSyncFile(`- {source: '${place}', target: store}`, 'mirror.yaml');
      expect(statuses(await sync(all, entries, { dryRun: true }))).toEqual(['would copy']);
      expect(statuses(await sync(all, entries))).toEqual(['copied']);
      expect(statuses(await sync(all, entries, { dryRun: true }))).toEqual(['unchanged']);
    } finally {
      await one.close();
      await all.close();
    }
  });

  test('some platforms: the index is written anew, and the next sync knows it', async () => {
    const yaml = `- {source: ${host}/team/app, target: ${host}/arm/app, tags: '2.0', platforms: linux/arm64}`;
    const [first] = await run(yaml);
    expect(first).toMatchObject({ status: 'copied' });
    expect(first?.digest).not.toBe(await digest(client, `docker://${host}/team/app:2.0`));
    expect(await digest(client, `docker://${host}/arm/app:2.0`)).toBe(first?.digest);
    expect(statuses(await run(yaml, { dryRun: true }))).toEqual(['unchanged']);
    asked = [];
    expect(await run(yaml)).toMatchObject([{ status: 'unchanged', transferred: 0, digest: first?.digest }]);
    expect(asked.filter((line) => /^(PUT|POST|PATCH)|blobs/.test(line))).toEqual([]);
  });

  test('what refers to an image goes along, also when it came after the image', async () => {
    await pushImage(`${host}/signed/app:1`);
    const yaml = `- {source: ${host}/signed/app, target: ${host}/mirror/signed, tags: '1', referrers: true}`;
    expect(await run(yaml)).toMatchObject([{ status: 'copied', referrers: [] }]);
    const file = join(dir, 'sbom');
    writeFileSync(file, 'sbom');
    const { root } = await attach(client, `docker://${host}/signed/app:1`, [file], {
      artifactType: 'a/sbom',
    });
    expect(await run(yaml)).toMatchObject([{ status: 'copied', referrers: [root.digest] }]);
    expect((await referrers(client, `docker://${host}/mirror/signed:1`)).referrers).toMatchObject([
      { digest: root.digest },
    ]);
    expect(await run(yaml)).toMatchObject([{ status: 'unchanged', transferred: 0 }]);
  });

  test('one that fails stops no other', async () => {
    const results = await run(`
- {source: '${host}/team/app', target: '${host}/some/app', tags: ['9.9', '1.0']}
- {source: '${host}/no/such', target: '${host}/some/app', tags: '*'}
- {source: 'oci:${dir}/nowhere', target: 'store:x/y', tags: '*'}
- {source: '${host}/team/app', target: '${host}/some/app', tags: 'zzz*'}
- {source: '127.0.0.1:1/a/b', target: '${host}/some/app', tags: '1'}
- {source: '${host}/team/app', target: '${host}/some/app', tags: '1.1'}
`);
    expect(
      results.map(({ line, status, error }) => [line, status, (error as { code?: string })?.code]),
    ).toEqual([
      [2, 'failed', 'IMAGE_NOT_FOUND'],
      [2, 'copied', undefined],
      [3, 'failed', 'IMAGE_NOT_FOUND'],
      [4, 'failed', 'PATH_NOT_FOUND'],
      [5, 'failed', 'IMAGE_NOT_FOUND'],
      [6, 'failed', 'NETWORK'],
      [7, 'copied', undefined],
    ]);
  });

  test('two syncs of the same at once, into a registry and a layout: both succeed, everything is whole', async () => {
    const yaml = `
- {source: ${host}/team/app, target: ${host}/twice/app, tags: '*'}
- {source: ${host}/team/app, target: 'oci:${dir}/twice', tags: '*'}
`;
    // docker-registry answers 500 for a link that another client has half written: these try again, as people's do.
    const two = [1, 2].map((n) =>
      createClient({ store: join(dir, `two-${n}`), transport: { plainHttp: true } }),
    );
    try {
      const entries = parseSyncFile(yaml, 'mirror.yaml');
      const both = await Promise.all(two.map((one) => sync(one, entries)));
      expect(both.flat().map(({ error }) => error)).toEqual(Array.from({ length: 16 }, () => undefined));
      expect(statuses(await run(yaml))).toEqual(Array.from({ length: 8 }, () => 'unchanged'));
      expect(await (await openStore(join(dir, 'twice'))).check()).toMatchObject({ ok: true });
    } finally {
      for (const one of two) await one.close();
    }
  });

  test('interrupted: ABORTED, and nothing goes on', async () => {
    const controller = new AbortController();
    const stopping: Client = {
      ...client,
      signal: controller.signal,
      onProgress: (event) => void (event.type === 'queued' && controller.abort()),
    };
    const entries = parseSyncFile(
      `- {source: ${host}/team/app, target: ${host}/stopped/app, tags: '*'}`,
      'mirror.yaml',
    );
    await expect(sync(stopping, entries)).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
