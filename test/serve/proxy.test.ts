// `serve --proxy`: another registry behind the store. What is asked there and how often, what many clients at once cost,
// what is answered when it is gone, and that the store stays whole.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/blobstore/store.ts';
import { type Client, type ClientOptions, createClient } from '../../src/client/client.ts';
import { pull } from '../../src/client/pull.ts';
import { pullThrough } from '../../src/client/pull-through.ts';
import { OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_LAYER } from '../../src/manifest/media-types.ts';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import type { Upstream } from '../../src/serve/upstream.ts';
import { addImage, addIndex, type MemoryPlace, memoryPlace } from '../support/image-builder.ts';
import { type PlaceServer, servePlace } from '../support/place-server.ts';

const closers: (() => Promise<void> | void)[] = [];
let dir: string;
let place: MemoryPlace;
let layer: Buffer;
let amd64: Descriptor;
let index: Descriptor;
let origin: PlaceServer;
let events: ProgressEvent[];

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'proxy-'));
  closers.push(() => rmSync(dir, { recursive: true, force: true }));
  place = memoryPlace();
  layer = randomBytes(3_000_000);
  amd64 = addImage(place, { layers: [layer, randomBytes(10)] });
  const arm64 = addImage(place, { platform: { os: 'linux', architecture: 'arm64' } });
  index = addIndex(place, [
    { ...amd64, platform: { os: 'linux', architecture: 'amd64' } },
    { ...arm64, platform: { os: 'linux', architecture: 'arm64' } },
  ]);
  origin = await servePlace(place);
  closers.push(() => origin.close());
  origin.tags.set('1', index);
  events = [];
});

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Proxy {
  server: StoreServer;
  upstream: Upstream;
  client: Client;
  /** `127.0.0.1:5000` */
  address: string;
}

async function proxy(options: ClientOptions = {}, anonymous = false): Promise<Proxy> {
  const client = createClient({
    store: join(dir, 'cache'),
    authFile: join(dir, 'none.json'),
    registries: { file: '/dev/null', hostsFolders: [] },
    transport: { retry: { retries: 0 }, timeoutMs: 20_000 },
    onProgress: (event) => events.push(event),
    ...options,
  });
  closers.push(() => client.close());
  const upstream = await pullThrough(client, `http://${origin.address}/`, { anonymous });
  closers.push(() => upstream.close());
  const server = await serveStore(await client.store(), { upstream });
  closers.push(() => server.close());
  return { server, upstream, client, address: new URL(server.url).host };
}

let clients = 0;

/** One who pulls from the proxy, with a store of their own. */
function puller(): Client {
  clients += 1;
  const client = createClient({
    store: join(dir, `client-${clients}`),
    platform: 'linux/amd64',
    authFile: join(dir, 'none.json'),
    registries: { file: '/dev/null', hostsFolders: [] },
    transport: { retry: { retries: 0 } },
    onProgress: (event) => events.push(event),
  });
  closers.push(() => client.close());
  return client;
}

const asked = (...words: string[]): string[] =>
  origin.asked().filter((line) => words.every((word) => line.includes(word)));

/** All of an answer, or why there is none. */
async function whole(url: string): Promise<ArrayBuffer> {
  return await (await fetch(url)).arrayBuffer();
}

async function names(client: Client): Promise<(string | undefined)[]> {
  return (await (await client.store()).list()).map(({ name }) => name);
}

async function isClean(client: Client): Promise<boolean> {
  return (await (await client.store()).check()).ok;
}

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

describe('when the registry is gone', () => {
  it('what is here is served, with a warning that clients show', async () => {
    const first = await proxy();
    await pull(puller(), `${first.address}/team/app:1`);
    await expect.poll(() => names(first.client)).toHaveLength(1);
    const { server, address } = await proxy();
    await origin.close();
    const response = await fetch(`${server.url}/v2/team/app/manifests/1`);
    expect(response.status).toBe(200);
    expect(response.headers.get('warning')).toBe(
      `299 - "${origin.address} does not answer; this may be out of date"`,
    );
    events = [];
    await pull(puller(), `${address}/team/app:1`);
    expect(events).toContainEqual({
      type: 'warning',
      message: `${address}: ${origin.address} does not answer; this may be out of date`,
    });
    const tags = await fetch(`${server.url}/v2/team/app/tags/list`);
    expect(await tags.json()).toEqual({ name: 'team/app', tags: ['1'] });
    expect(tags.headers.get('warning')).toContain('does not answer');
  });

  it('what is not here cannot be had, and the reason is told', async () => {
    const { server } = await proxy();
    await origin.close();
    for (const path of ['manifests/1', `blobs/${digestOf(layer)}`, 'tags/list']) {
      const response = await fetch(`${server.url}/v2/team/app/${path}`);
      expect(response.status).toBe(502);
      expect(await response.text()).toContain('connection refused');
    }
  });

  it('in the middle of a blob: the client is cut off, and the bytes are kept', async () => {
    const { server, address, client } = await proxy();
    origin.intercept = (request, response) => {
      if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
      if (request.headers.range !== undefined) return false;
      response.writeHead(200, { 'content-length': layer.length });
      response.write(layer.subarray(0, 2_000_000), () => response.destroy());
      return true;
    };
    await expect(whole(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`)).rejects.toThrow();
    await pull(puller(), `${address}/team/app:1`);
    const ranges = origin.requests.map(({ headers }) => headers.range).filter((range) => range !== undefined);
    expect(ranges).toHaveLength(1);
    expect(await isClean(client)).toBe(true);
  });
});

describe('what the registry refuses', () => {
  it.each([
    [404, 404],
    [401, 403],
    [403, 403],
    [429, 429],
    [500, 502],
  ])('%i there is %i here', async (there, here) => {
    const { server } = await proxy();
    origin.intercept = (_, response) => {
      response.writeHead(there).end('{"errors":[{"code":"X","message":"no"}]}');
      return true;
    };
    for (const path of ['manifests/1', `manifests/${amd64.digest}`]) {
      const response = await fetch(`${server.url}/v2/team/app/${path}`);
      expect(response.status).toBe(here);
      expect(response.headers.get('www-authenticate')).toBeNull();
    }
  });

  it('a blob that is not there is not there', async () => {
    const { server } = await proxy();
    const response = await fetch(`${server.url}/v2/team/app/blobs/${digestOf('none')}`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ errors: [{ code: 'BLOB_UNKNOWN' }] });
  });

  it('other bytes than the digest says never end as a whole, nor in the store', async () => {
    const { server, client } = await proxy();
    const wrong = randomBytes(layer.length);
    origin.intercept = (request, response) => {
      if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
      response.writeHead(200, { 'content-length': wrong.length }).end(wrong);
      return true;
    };
    await expect(whole(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`)).rejects.toThrow();
    const descriptor = { mediaType: OCI_LAYER, digest: digestOf(layer), size: layer.length };
    expect(await (await client.store()).has(descriptor)).toBe(false);
  });
});

describe('a policy', () => {
  it('refuses here what it refuses elsewhere', async () => {
    const policy = join(dir, 'policy.json');
    writeFileSync(policy, '{"default":[{"type":"reject"}]}');
    const { server } = await proxy({ policy });
    for (const reference of ['1', index.digest]) {
      const response = await fetch(`${server.url}/v2/team/app/manifests/${reference}`);
      expect(response.status).toBe(403);
    }
  });

  it('is asked about an index, not about its parts', async () => {
    const { client } = await proxy();
    const checking: Client = {
      ...client,
      async repository(name, access, use) {
        const unchecked = await client.repository(name, access, use);
        const resolve: typeof unchecked.resolve = (reference, options) => {
          if (reference.digest === undefined || reference.digest === index.digest)
            return unchecked.resolve(reference, options);
          throw new OciError('POLICY_REFUSED', 'not signed');
        };
        return { ...unchecked, unchecked, resolve };
      },
    };
    const upstream = await pullThrough(checking, origin.address);
    closers.push(() => upstream.close());
    const server = await serveStore(await client.store(), { upstream });
    closers.push(() => server.close());
    const alone = await fetch(`${server.url}/v2/team/app/manifests/${amd64.digest}`);
    expect(alone.status).toBe(403);
    const [pulled] = await pull(puller(), `${new URL(server.url).host}/team/app:1`);
    expect(pulled?.root.digest).toBe(index.digest);
  });
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

it('closing stops what is on its way', async () => {
  const { server, upstream } = await proxy();
  origin.intercept = (request, response) => {
    if (request.method !== 'GET' || request.url?.includes(digestOf(layer)) !== true) return false;
    response.writeHead(200, { 'content-length': layer.length });
    response.write(layer.subarray(0, 1_000_000));
    return true;
  };
  const response = await fetch(`${server.url}/v2/team/app/blobs/${digestOf(layer)}`);
  const body = expect(response.arrayBuffer()).rejects.toThrow();
  await upstream.close();
  await body;
});
