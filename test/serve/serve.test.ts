// The store as a registry: what clients ask for, what they may not, and skopeo's opinion.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { artifactManifest, EMPTY } from '../../src/manifest/artifact.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { addImage, addIndex, memoryPlace } from '../support/image-builder.ts';
import { hasTools, skopeo } from '../support/tools.ts';

const place = memoryPlace();
const layer = randomBytes(3_000_000);
const amd64 = addImage(place, { layers: [layer, randomBytes(10)] });
const index = addIndex(place, [{ ...amd64, platform: { os: 'linux', architecture: 'amd64' } }]);
const other = addImage(place);
let dir: string;
let store: BlobStore;
let server: StoreServer;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  store = await openStore(join(dir, 'store'));
  for (const [digest, bytes] of place.blobs) {
    const ingest = await store.ingest({ mediaType: 'application/octet-stream', digest, size: bytes.length });
    await ingest?.write(bytes);
    await ingest?.commit();
  }
  await store.tag(index, parseReference('alpine:3.20'));
  for (const tag of ['3.19', '3.18', 'latest']) await store.tag(other, parseReference(`alpine:${tag}`));
  await store.tag(other, parseReference('ghcr.io/a/b:1'));
  await store.tag(other, parseReference('ghcr.io/library/alpine:3.20'));
  await store.tag(other, parseReference('localhost:5000/c:1'));
  await store.tag(other, parseReference(`quay.io/d/e@${other.digest}`));
  server = await serveStore(store, { readOnly: true });
});

afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

const get = (path: string, init?: RequestInit): Promise<Response> => fetch(server.url + path, init);

async function errorOf(path: string, init?: RequestInit): Promise<[status: number, code: string]> {
  const response = await get(path, init);
  expect(response.headers.get('content-type')).toBe('application/json');
  const { errors } = (await response.json()) as { errors: [{ code: string; message: string }] };
  expect(errors[0].message).not.toBe('');
  return [response.status, errors[0].code];
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

it('says that it is a registry', async () => {
  for (const path of ['/v2/', '/v2']) {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  }
});

it('listens on the loopback interface only', () => {
  expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
});

it('lists referrers that another tool left without a name in index.json, as oras does', async () => {
  const own = await openStore(join(dir, 'shared'));
  const report = artifactManifest({ artifactType: 'text/report', layers: [EMPTY], subject: amd64 });
  const artifact = { mediaType: OCI_MANIFEST, digest: digestOf(report), size: report.length };
  const blobs = [...place.blobs, [artifact.digest, report], [EMPTY.digest, Buffer.from('{}')]] as const;
  for (const [digest, bytes] of blobs) {
    const ingest = await own.ingest({ mediaType: 'application/octet-stream', digest, size: bytes.length });
    await ingest?.write(bytes);
    await ingest?.commit();
  }
  await own.tag(index, parseReference('shared:1'));
  const path = storePaths(own.dir).indexFile;
  const written = JSON.parse(readFileSync(path, 'utf8')) as { manifests: Descriptor[] };
  writeFileSync(path, JSON.stringify({ ...written, manifests: [...written.manifests, artifact] }));
  const shared = await serveStore(own);
  try {
    const of = async (type = ''): Promise<unknown> => {
      return (await fetch(`${shared.url}/v2/shared/referrers/${amd64.digest}${type}`)).json();
    };
    expect(await of()).toMatchObject({ manifests: [{ ...artifact, artifactType: 'text/report' }] });
    expect(await of('?artifactType=text/other')).toMatchObject({ manifests: [] });
    expect((await fetch(`${shared.url}/v2/shared/manifests/${artifact.digest}`)).status).toBe(200);
  } finally {
    await shared.close();
  }
});

describe('manifests', () => {
  it.each(['library/alpine', 'alpine', 'docker.io/library/alpine'])('are served under %s', async (name) => {
    for (const reference of ['3.20', index.digest]) {
      const response = await get(`/v2/${name}/manifests/${reference}`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe(index.mediaType);
      expect(response.headers.get('docker-content-digest')).toBe(index.digest);
      expect(response.headers.get('etag')).toBe(`"${index.digest}"`);
      expect(digestOf(await bytesOf(response))).toBe(index.digest);
    }
  });

  it.each([
    ['ghcr.io/library/alpine', '3.20', other],
    ['library/alpine', '3.20', index],
    ['ghcr.io/a/b', '1', other],
    ['a/b', '1', other],
    ['c', '1', other],
    ['d/e', other.digest, other],
    // containerd tells a mirror which registry it means.
    ['library/alpine', '3.20?ns=ghcr.io', other],
    ['c', '1?ns=localhost:5000', other],
  ])('of %s:%s are those of the image with that name', async (name, reference, image: Descriptor) => {
    const response = await get(`/v2/${name}/manifests/${reference}`);
    expect(response.headers.get('docker-content-digest')).toBe(image.digest);
  });

  it('of a platform are found by digest, with their own type', async () => {
    const response = await get(`/v2/alpine/manifests/${amd64.digest}`);
    expect(response.headers.get('content-type')).toBe(amd64.mediaType);
    expect(await bytesOf(response)).toEqual(place.blobs.get(amd64.digest));
  });

  it('are described by HEAD without a body', async () => {
    const response = await get('/v2/alpine/manifests/3.20', { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(index.size));
    expect(response.headers.get('docker-content-digest')).toBe(index.digest);
    expect(await bytesOf(response)).toHaveLength(0);
  });

  it('are not sent again to who has them', async () => {
    const response = await get('/v2/alpine/manifests/3.20', {
      headers: { 'if-none-match': `"${index.digest}"` },
    });
    expect(response.status).toBe(304);
  });

  it.each([
    ['/v2/alpine/manifests/none', 404, 'MANIFEST_UNKNOWN'],
    [`/v2/alpine/manifests/${digestOf('none')}`, 404, 'MANIFEST_UNKNOWN'],
    // A layer is no manifest.
    [`/v2/alpine/manifests/${digestOf(layer)}`, 404, 'MANIFEST_UNKNOWN'],
    ['/v2/alpine/manifests/sha256:abc', 400, 'DIGEST_INVALID'],
    ['/v2/alpine/manifests/__proto__', 404, 'MANIFEST_UNKNOWN'],
    ['/v2/none/manifests/latest', 404, 'NAME_UNKNOWN'],
    ['/v2/UPPER/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/a//b/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/..%2F..%2Fetc/manifests/latest', 400, 'NAME_INVALID'],
    ['/v2/alpine/manifests/%zz', 400, 'NAME_INVALID'],
  ])('are refused: %s', async (path, status, code) => {
    expect(await errorOf(path)).toEqual([status, code]);
  });
});

describe('blobs', () => {
  const path = `/v2/alpine/blobs/${digestOf(layer)}`;

  it('are served whole', async () => {
    const response = await get(path);
    expect(response.status).toBe(200);
    expect(response.headers.get('accept-ranges')).toBe('bytes');
    expect(response.headers.get('docker-content-digest')).toBe(digestOf(layer));
    expect((await bytesOf(response)).equals(layer)).toBe(true);
  });

  it('are found when the client encodes the colon', async () => {
    expect((await get(path.replace('sha256:', 'sha256%3A'))).status).toBe(200);
  });

  it.each([
    ['bytes=0-0', 0, 1],
    ['bytes=1000000-1999999', 1_000_000, 2_000_000],
    ['bytes=2999999-', 2_999_999, 3_000_000],
    ['bytes=2999990-5000000', 2_999_990, 3_000_000],
    ['bytes=-7', 2_999_993, 3_000_000],
    ['bytes=-9000000', 0, 3_000_000],
  ])('are served in part: %s', async (range, from, to) => {
    const response = await get(path, { headers: { range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${from}-${to - 1}/3000000`);
    expect(response.headers.get('content-length')).toBe(String(to - from));
    expect((await bytesOf(response)).equals(layer.subarray(from, to))).toBe(true);
  });

  it.each(['bytes=3000000-', 'bytes=-0', 'bytes=9-5'])('have no part %s', async (range) => {
    const response = await get(path, { headers: { range } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe('bytes */3000000');
    await response.arrayBuffer();
  });

  it.each(['bytes=0-1,5-6', 'lines=1-2', 'bytes=-'])('are served whole for the range %s', async (range) => {
    const response = await get(path, { headers: { range } });
    expect(response.status).toBe(200);
    expect(await bytesOf(response)).toHaveLength(3_000_000);
  });

  it('are served whole when the client has a part of something else', async () => {
    const headers = { range: 'bytes=5-', 'if-range': `"${digestOf('other')}"` };
    const response = await get(path, { headers });
    expect(response.status).toBe(200);
    await response.arrayBuffer();
  });

  it.each([
    [`/v2/alpine/blobs/${digestOf('none')}`, 404, 'BLOB_UNKNOWN'],
    ['/v2/alpine/blobs/sha256:..%2F..%2F..%2Fetc%2Fpasswd', 404, 'UNSUPPORTED'],
    ['/v2/alpine/blobs/latest', 400, 'DIGEST_INVALID'],
    [`/v2/none/blobs/${digestOf(layer)}`, 404, 'NAME_UNKNOWN'],
  ])('are refused: %s', async (wanted, status, code) => {
    expect(await errorOf(wanted)).toEqual([status, code]);
  });

  it('go on being served after a client went away in the middle', async () => {
    await new Promise<void>((done, fail) => {
      request(server.url + path, (response) => {
        response.once('data', () => response.destroy());
        response.once('close', () => done());
      })
        .on('error', fail)
        .end();
    });
    expect((await bytesOf(await get(path))).equals(layer)).toBe(true);
  });

  it('that have gone are 404', async () => {
    const gone: Digest = digestOf('a blob that someone removes');
    const ingest = await store.ingest({ mediaType: 'text/plain', digest: gone, size: 27 });
    await ingest?.write(Buffer.from('a blob that someone removes'));
    await ingest?.commit();
    expect((await get(`/v2/alpine/blobs/${gone}`)).status).toBe(200);
    rmSync(blobPath(storePaths(store.dir), gone));
    expect(await errorOf(`/v2/alpine/blobs/${gone}`)).toEqual([404, 'BLOB_UNKNOWN']);
  });
});

describe('lists', () => {
  async function pages(path: string, key: string): Promise<string[][]> {
    const all: string[][] = [];
    for (let next: string | undefined = path; next !== undefined; ) {
      const response: Response = await get(next);
      const body = (await response.json()) as Record<string, string[]>;
      all.push(body[key]!);
      next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    return all;
  }

  it('have every tag, in pages when asked', async () => {
    expect(await pages('/v2/alpine/tags/list', 'tags')).toEqual([['3.18', '3.19', '3.20', 'latest']]);
    expect(await pages('/v2/alpine/tags/list?n=3', 'tags')).toEqual([['3.18', '3.19', '3.20'], ['latest']]);
    expect(await pages('/v2/alpine/tags/list?n=2', 'tags')).toEqual([
      ['3.18', '3.19'],
      ['3.20', 'latest'],
    ]);
    expect(await pages('/v2/alpine/tags/list?last=3.19', 'tags')).toEqual([['3.20', 'latest']]);
    expect(await pages('/v2/alpine/tags/list?n=0', 'tags')).toEqual([[]]);
    expect(await (await get('/v2/alpine/tags/list?n=1')).json()).toEqual({ name: 'alpine', tags: ['3.18'] });
  });

  it('have every repository once', async () => {
    const names = ['c', 'ghcr.io/a/b', 'ghcr.io/library/alpine', 'library/alpine', 'quay.io/d/e'];
    expect(await pages('/v2/_catalog', 'repositories')).toEqual([names]);
    expect(await pages('/v2/_catalog?n=2', 'repositories')).toEqual([
      names.slice(0, 2),
      names.slice(2, 4),
      names.slice(4),
    ]);
  });

  it('have no tag for an image named by digest', async () => {
    expect(await pages('/v2/d/e/tags/list', 'tags')).toEqual([[]]);
  });

  it('refuse a number that is none', async () => {
    expect(await errorOf('/v2/alpine/tags/list?n=-1')).toEqual([400, 'PAGINATION_NUMBER_INVALID']);
    expect(await errorOf('/v2/none/tags/list')).toEqual([404, 'NAME_UNKNOWN']);
  });

  it('show a new name at once', async () => {
    await store.tag(other, parseReference('new:1'));
    expect(await pages('/v2/new/tags/list', 'tags')).toEqual([['1']]);
    await store.untag(parseReference('new:1'));
    expect(await errorOf('/v2/new/tags/list')).toEqual([404, 'NAME_UNKNOWN']);
  });
});

it.each([
  ['POST', '/v2/alpine/blobs/uploads/'],
  ['PUT', '/v2/alpine/manifests/latest'],
  ['PATCH', '/v2/alpine/blobs/uploads/1'],
  ['DELETE', '/v2/alpine/manifests/latest'],
])('is read-only: %s %s', async (method, path) => {
  const response = await get(path, { method });
  expect(response.headers.get('allow')).toBe('GET, HEAD');
  expect(await response.json()).toMatchObject({ errors: [{ code: 'UNSUPPORTED' }] });
  expect(response.status).toBe(405);
});

it('has nothing else', async () => {
  for (const path of ['/', '/v1/', '/v2/alpine', '/v2/alpine/referrers', '/index.json']) {
    expect(await errorOf(path)).toEqual([404, 'UNSUPPORTED']);
  }
});

it('says when the port is taken', async () => {
  const port = Number(new URL(server.url).port);
  await expect(serveStore(store, { port })).rejects.toMatchObject({
    code: 'NETWORK',
    hint: expect.any(String),
  });
});

it('closes when the signal fires, and may be closed twice', async () => {
  const controller = new AbortController();
  const second = await serveStore(store, { signal: controller.signal });
  expect((await fetch(`${second.url}/v2/`)).status).toBe(200);
  controller.abort();
  await second.close();
  await second.close();
  await expect(fetch(`${second.url}/v2/`)).rejects.toThrow();
  await expect(serveStore(store, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' });
});

it('is copied from by skopeo, to the same digests', async ({ skip }) => {
  if (!hasTools('skopeo')) skip();
  const target = join(dir, 'copied');
  const source = `docker://${new URL(server.url).host}/library/alpine:3.20`;
  await skopeo('copy', '--all', '--preserve-digests', '--src-tls-verify=false', source, `oci:${target}:3.20`);
  const copied = await openStore(target, { readOnly: true });
  expect((await copied.list()).map(({ descriptor }) => descriptor.digest)).toEqual([index.digest]);
  expect(await copied.check()).toMatchObject({ ok: true });
  expect((await copied.usage()).unreferenced.count).toBe(0);
  const inspected = await skopeo('inspect', '--tls-verify=false', source);
  expect(JSON.parse(inspected)).toMatchObject({ Digest: index.digest, Architecture: 'amd64' });
});
