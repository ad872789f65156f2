// `serve --proxy`: another registry behind the store. What is asked there and how often, what many clients at once cost,
// and what the store holds and names afterwards.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import type { Client } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { pullThrough } from '../../src/client/pull-through.ts';
import { OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { addImage } from '../support/image-builder.ts';
import {
  amd64,
  asked,
  dir,
  index,
  isClean,
  layer,
  names,
  origin,
  place,
  proxy,
  puller,
  setUpProxy,
} from '../support/proxy-setup.ts';

setUpProxy();

it('brings an image on the first pull and asks only about the tag on the next', async () => {
  const { address, client } = await proxy();
  await pull(puller(), `${address}/team/app:1`);
  expect(asked('GET', '/manifests/')).toHaveLength(2);
  expect(asked('GET', '/blobs/')).toHaveLength(3);
  await expect.poll(() => names(client)).toEqual([`${origin.address}/team/app:1`]);
  expect(await isClean(client)).toBe(true);
  origin.requests.length = 0;
  const second = puller();
  const [pulled] = await pull(second, `${address}/team/app:1`);
  expect(pulled?.root.digest).toBe(index.digest);
  // Within a moment, not even that.
  expect(origin.asked()).toEqual([]);
});

it('HEAD costs a HEAD', async () => {
  const { server } = await proxy();
  const response = await fetch(`${server.url}/v2/team/app/manifests/1`, { method: 'HEAD' });
  expect(response.headers.get('docker-content-digest')).toBe(index.digest);
  expect(response.headers.get('content-length')).toBe(String(index.size));
  const blob = await fetch(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`, { method: 'HEAD' });
  expect(blob.headers.get('content-length')).toBe(String(layer.length));
  expect(asked('GET', '/v2/team')).toEqual([]);
});

it('many who want one blob at once share one download, and each gets it while it comes', async () => {
  const { server } = await proxy();
  const half = Promise.withResolvers<void>();
  origin.intercept = (request, response) => {
    if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 2_000_000));
    void half.promise.then(() => response.end(layer.subarray(2_000_000)));
    return true;
  };
  const url = `${server.url}/v2/team/app/blobs/${digestOf(layer)}`;
  const started = await Promise.all(Array.from({ length: 20 }, () => fetch(url)));
  const readers = started.map(({ body }) => (body as ReadableStream<Uint8Array>).getReader());
  // Bytes come before the other half has left the registry.
  const firsts = await Promise.all(readers.map((reader) => reader.read()));
  const ranged = await fetch(url, { headers: { range: 'bytes=500000-999999' } });
  expect(Buffer.from(await ranged.arrayBuffer()).equals(layer.subarray(500_000, 1_000_000))).toBe(true);
  half.resolve();
  for (const [i, reader] of readers.entries()) {
    const chunks = [firsts[i]?.value as Uint8Array];
    for (let next = await reader.read(); !next.done; next = await reader.read()) chunks.push(next.value);
    expect(Buffer.concat(chunks).equals(layer)).toBe(true);
  }
  expect(asked('GET', digestOf(layer))).toHaveLength(1);
});

it('a tag that moved is found out, and the new image takes the name when it is whole', async () => {
  const { address, client } = await proxy();
  await pull(puller(), `${address}/team/app:1`);
  await expect.poll(() => names(client)).toHaveLength(1);
  // Another process: nothing of the first is remembered.
  const next = addImage(place);
  origin.tags.set('1', next);
  const again = await proxy();
  const response = await fetch(`${again.server.url}/v2/team/app/manifests/1`);
  expect(response.headers.get('docker-content-digest')).toBe(next.digest);
  // Its layers are not here yet, so the name stays with what is.
  const store = await client.store();
  expect((await store.resolve(parseReference(`${origin.address}/team/app:1`))).digest).toBe(index.digest);
  await pull(puller(), `${again.address}/team/app:1`);
  const named = async (): Promise<string> =>
    (await store.resolve(parseReference(`${origin.address}/team/app:1`))).digest;
  await expect.poll(named).toBe(next.digest);
  expect(await isClean(client)).toBe(true);
});

it('a client that asks for the tag with HEAD and for the rest by digest pulls the tag', async () => {
  const { server, client } = await proxy();
  const wrong = index.size + 1;
  origin.intercept = (request, response) => {
    if (request.method !== 'HEAD' || request.url?.endsWith('/manifests/1') !== true) return false;
    // Harbor's HEAD has been known to give another size.
    const headers = { 'content-type': index.mediaType, 'docker-content-digest': index.digest };
    response.writeHead(200, { ...headers, 'content-length': wrong }).end();
    return true;
  };
  const head = await fetch(`${server.url}/v2/team/app/manifests/1`, { method: 'HEAD' });
  for (const reference of [head.headers.get('docker-content-digest'), amd64.digest]) {
    await (await fetch(`${server.url}/v2/team/app/manifests/${reference}`)).arrayBuffer();
  }
  const { config, layers } = JSON.parse(String(place.blobs.get(amd64.digest)));
  for (const { digest } of [config, ...layers] as Descriptor[]) {
    await (await fetch(`${server.url}/v2/team/app/blobs/${digest}`)).arrayBuffer();
  }
  await expect.poll(() => names(client)).toEqual([`${origin.address}/team/app:1`]);
});

it('an image named by its digest keeps that name, one of its platforms needs none', async () => {
  const { address, client } = await proxy();
  await pull(puller(), `${address}/team/app@${amd64.digest}`);
  await expect.poll(() => names(client)).toEqual([`${origin.address}/team/app@${amd64.digest}`]);
});

it('a platform that comes later is part of the index that is here, and needs no name', async () => {
  const first = await proxy();
  await pull(puller(), `${first.address}/team/app:1`);
  await expect.poll(() => names(first.client)).toHaveLength(1);
  const { server, client } = await proxy();
  const { manifests } = (await (await fetch(`${server.url}/v2/team/app/manifests/1`)).json()) as {
    manifests: Descriptor[];
  };
  const arm64 = manifests[1] as Descriptor;
  const { config, layers } = (await (
    await fetch(`${server.url}/v2/team/app/manifests/${arm64.digest}`)
  ).json()) as { config: Descriptor; layers: Descriptor[] };
  const store = await client.store();
  expect(await store.has(arm64)).toBe(false);
  for (const { digest } of [config, ...layers]) {
    await (await fetch(`${server.url}/v2/team/app/blobs/${digest}`)).arrayBuffer();
  }
  await expect.poll(() => store.has(arm64)).toBe(true);
  expect(await names(client)).toEqual([`${origin.address}/team/app:1`]);
  expect(await isClean(client)).toBe(true);
});

it('gc leaves what has a name, and what was fetched within its grace', async () => {
  const { address, client, server } = await proxy();
  await pull(puller(), `${address}/team/app:1`);
  await expect.poll(() => names(client)).toHaveLength(1);
  await fetch(`${server.url}/v2/other/app/manifests/1`);
  const swept = await (await client.store()).gc({ grace: 0 });
  expect(swept.blobs.count).toBe(0);
  expect(await isClean(client)).toBe(true);
});

describe('whose it is', () => {
  it('a push is refused: it belongs to the registry', async () => {
    const { server } = await proxy();
    const response = await fetch(`${server.url}/v2/team/app/blobs/uploads/`, { method: 'POST' });
    expect(response.status).toBe(405);
  });

  it('images of other registries in the store are served as ever, and not asked about', async () => {
    const { server, client } = await proxy();
    await pull(createdWith(client), `${origin.address}/team/app:1`);
    const store = await openStore(join(dir, 'cache'));
    await store.tag(index, parseReference('ghcr.io/a/b:1'));
    origin.requests.length = 0;
    for (const path of ['ghcr.io/a/b/manifests/1', 'a/b/manifests/1?ns=ghcr.io']) {
      const response = await fetch(`${server.url}/v2/${path}`);
      expect(response.headers.get('docker-content-digest')).toBe(index.digest);
    }
    const other = await fetch(`${server.url}/v2/a/c/manifests/1?ns=ghcr.io`);
    expect(other.status).toBe(404);
    expect(origin.requests).toEqual([]);
  });

  it('Docker Hub has short names, and several of its own', async () => {
    const { client } = await proxy();
    const wanted: string[] = [];
    const recording: Client = {
      ...client,
      async repository({ registry, repository }) {
        wanted.push(`${registry}/${repository}`);
        throw new OciError('IMAGE_NOT_FOUND', 'nothing is there');
      },
    };
    for (const registry of ['docker.io', 'https://registry-1.docker.io', 'index.docker.io']) {
      const upstream = await pullThrough(recording, registry);
      for (const name of [
        'alpine',
        'library/alpine',
        'docker.io/library/alpine',
        'registry-1.docker.io/a/b',
      ]) {
        await expect(upstream.manifest(name, '1', { document: true })).rejects.toThrow('nothing is there');
      }
      expect(await upstream.manifest('ghcr.io/a/b', '1', { document: true })).toBeUndefined();
    }
    expect(new Set(wanted)).toEqual(new Set(['docker.io/library/alpine', 'docker.io/a/b']));
  });

  it('containerd may name the registry', async () => {
    const { server } = await proxy();
    const response = await fetch(
      `${server.url}/v2/team/app/manifests/1?ns=${encodeURIComponent(origin.address)}`,
    );
    expect(response.status).toBe(200);
    expect(asked('/v2/team/app/manifests/1')).toHaveLength(1);
  });

  /** The same store, for all platforms of this test. */
  function createdWith(client: Client): Client {
    return { ...client, platform: async () => ({ os: 'linux', architecture: 'amd64' }) };
  }

  it('our credentials are used, and none when it is anonymous', async () => {
    const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    writeFileSync(
      join(dir, 'auth.json'),
      JSON.stringify({ auths: { [origin.address]: { auth: authorization.slice('Basic '.length) } } }),
    );
    origin.intercept = (request, response) => {
      if (request.headers.authorization === authorization) return false;
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return true;
    };
    const options = { authFile: join(dir, 'auth.json') };
    const { server } = await proxy(options);
    expect((await fetch(`${server.url}/v2/team/app/manifests/1`)).status).toBe(200);
    const nobody = await proxy({ ...options, store: join(dir, 'empty') }, true);
    expect((await fetch(`${nobody.server.url}/v2/team/app/manifests/1`)).status).toBe(403);
  });
});
