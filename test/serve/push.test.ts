// Pushing to the store: uploads in all their forms, what is refused, who refers to whom, deletion, and skopeo.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobPath, storePaths } from '../../src/blobstore/paths.ts';
import { type BlobStore, openStore } from '../../src/blobstore/store.ts';
import { attach } from '../../src/client/attach.ts';
import { createClient } from '../../src/client/client.ts';
import { createCopier } from '../../src/copy/copier.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { readHtpasswd } from '../../src/serve/htpasswd.ts';
import { type StoreServer, serveStore } from '../../src/serve/serve.ts';
import { createAuthority } from '../support/certificates.ts';
import { addBlob, addImage, type MemoryPlace, memoryPlace, nameImage } from '../support/image-builder.ts';
import { hasTools, skopeo, tool } from '../support/tools.ts';

let dir: string;
let store: BlobStore;
let server: StoreServer;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ocitool-test-'));
  store = await openStore(join(dir, 'store'));
  server = await serveStore(store);
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

const send = (method: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(new URL(path, server.url), { method, ...init });

async function begin(name: string): Promise<string> {
  const response = await send('POST', `/v2/${name}/blobs/uploads/`);
  expect(response.status).toBe(202);
  return response.headers.get('location')!;
}

async function pushBlob(name: string, bytes: Uint8Array): Promise<Digest> {
  const digest = digestOf(bytes);
  const body = Buffer.from(bytes);
  const { status } = await send('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, { body });
  expect(status).toBe(201);
  return digest;
}

async function pushImage(
  name: string,
  place: MemoryPlace,
  image: Descriptor,
  reference: string,
): Promise<Response> {
  for (const [digest, bytes] of place.blobs) if (digest !== image.digest) await pushBlob(name, bytes);
  return send('PUT', `/v2/${name}/manifests/${reference}`, {
    body: Buffer.from(place.blobs.get(image.digest)!),
    headers: { 'content-type': image.mediaType },
  });
}

async function codeOf(response: Response): Promise<[number, string]> {
  const { errors } = (await response.json()) as { errors: [{ code: string }] };
  return [response.status, errors[0].code];
}

describe('a blob', () => {
  const bytes = randomBytes(300_000);
  const digest = digestOf(bytes);

  it('comes in chunks, and the client may ask how far it got', async () => {
    let location = await begin('chunks');
    for (const [from, to] of [
      [0, 100_000],
      [100_000, 250_000],
    ] as const) {
      const response = await send('PATCH', location, {
        body: bytes.subarray(from, to),
        headers: { 'content-range': `${from}-${to - 1}` },
      });
      expect(response.status).toBe(202);
      expect(response.headers.get('range')).toBe(`0-${to - 1}`);
      location = response.headers.get('location')!;
    }
    const status = await send('GET', location);
    expect([status.status, status.headers.get('range')]).toEqual([204, '0-249999']);
    const end = await send('PUT', `${location}?digest=${digest}`, { body: bytes.subarray(250_000) });
    expect([end.status, end.headers.get('docker-content-digest')]).toEqual([201, digest]);
    const back = await send('GET', end.headers.get('location')!);
    expect(Buffer.from(await back.arrayBuffer()).equals(bytes)).toBe(true);
  });

  it('whose next chunk begins elsewhere is refused, and can go on', async () => {
    const location = await begin('gap');
    await send('PATCH', location, { body: bytes.subarray(0, 1000), headers: { 'content-range': '0-999' } });
    for (const range of ['500-1499', '2000-2999']) {
      const response = await send('PATCH', location, {
        body: bytes.subarray(0, 1000),
        headers: { 'content-range': range },
      });
      expect(response.headers.get('range')).toBe('0-999');
      expect(await codeOf(response)).toEqual([416, 'BLOB_UPLOAD_INVALID']);
    }
    const end = await send('PUT', `${location}?digest=${digest}`, { body: bytes.subarray(1000) });
    expect(end.status).toBe(201);
  });

  it('with other bytes than its digest is refused, and leaves nothing', async () => {
    const wrong = digestOf('something else');
    const location = await begin('wrong');
    const response = await send('PUT', `${location}?digest=${wrong}`, { body: bytes });
    expect(await codeOf(response)).toEqual([400, 'DIGEST_INVALID']);
    expect(existsSync(blobPath(storePaths(store.dir), wrong))).toBe(false);
    expect(await codeOf(await send('GET', location))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
  });

  it('can be given up', async () => {
    const before = readdirSync(storePaths(store.dir).uploads).length;
    const location = await begin('cancel');
    expect((await send('DELETE', location)).status).toBe(204);
    expect(await codeOf(await send('PATCH', location, { body: 'x' }))).toEqual([404, 'BLOB_UPLOAD_UNKNOWN']);
    expect(readdirSync(storePaths(store.dir).uploads)).toHaveLength(before);
  });

  it('goes on after the connection broke', async () => {
    const location = await begin('broken');
    await new Promise<void>((done) => {
      const patch = request(new URL(location, server.url), {
        method: 'PATCH',
        headers: { 'content-length': 300_000 },
      });
      patch.on('error', () => done());
      patch.write(bytes.subarray(0, 50_000), () => patch.destroy());
    });
    let held = 0;
    // Busy until the server has seen the end of the connection.
    await expect
      .poll(async () => {
        const range = (await send('GET', location)).headers.get('range')!;
        held = Number(range.slice(2)) + 1;
        const rest = await send('PUT', `${location}?digest=${digest}`, { body: bytes.subarray(held) });
        return rest.status;
      })
      .toBe(201);
  });

  it('is mounted from another repository, or taken as an upload where there is none', async () => {
    await pushBlob('mount/from', bytes);
    const mounted = await send('POST', `/v2/mount/to/blobs/uploads/?mount=${digest}&from=mount/from`);
    expect([mounted.status, mounted.headers.get('location')]).toEqual([201, `/v2/mount/to/blobs/${digest}`]);
    const none = await send('POST', `/v2/mount/to/blobs/uploads/?mount=${digestOf('none')}&from=mount/from`);
    expect(none.status).toBe(202);
  });

  it('deleted from one repository stays in the other', async () => {
    const own = await pushBlob('delete/a', Buffer.from('to delete'));
    await pushBlob('delete/b', Buffer.from('to delete'));
    expect((await send('DELETE', `/v2/delete/a/blobs/${own}`)).status).toBe(202);
    expect((await send('HEAD', `/v2/delete/a/blobs/${own}`)).status).toBe(404);
    expect((await send('DELETE', `/v2/delete/a/blobs/${own}`)).status).toBe(404);
    expect((await send('HEAD', `/v2/delete/b/blobs/${own}`)).status).toBe(200);
    await pushBlob('delete/a', Buffer.from('to delete'));
    expect((await send('HEAD', `/v2/delete/a/blobs/${own}`)).status).toBe(200);
  });
});

describe('a manifest', () => {
  it('becomes a name of the store', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    const response = await pushImage('team/app', place, image, '1');
    expect([response.status, response.headers.get('docker-content-digest')]).toEqual([201, image.digest]);
    expect(await store.resolve(parseReference('team/app:1'))).toMatchObject({ digest: image.digest });
    expect(await (await send('GET', '/v2/team/app/tags/list')).json()).toEqual({
      name: 'team/app',
      tags: ['1'],
    });
  });

  it('without its blobs, of another type or digest, or none at all, is refused', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    const body = Buffer.from(place.blobs.get(image.digest)!);
    const put = (reference: string, type: string, bytes = body): Promise<Response> =>
      send('PUT', `/v2/refused/manifests/${reference}`, { body: bytes, headers: { 'content-type': type } });
    expect(await codeOf(await put('1', OCI_MANIFEST))).toEqual([404, 'MANIFEST_BLOB_UNKNOWN']);
    expect(await codeOf(await put('1', OCI_INDEX))).toEqual([400, 'MANIFEST_INVALID']);
    expect(await codeOf(await put(digestOf('x'), OCI_MANIFEST))).toEqual([400, 'DIGEST_INVALID']);
    expect(await codeOf(await put('1', OCI_MANIFEST, Buffer.from('{}')))).toEqual([400, 'MANIFEST_INVALID']);
    expect(await codeOf(await put('a:b', OCI_MANIFEST))).toEqual([400, 'DIGEST_INVALID']);
    expect((await put('1', OCI_MANIFEST, Buffer.alloc(5_000_000, ' '))).status).toBe(413);
    expect(await codeOf(await send('GET', '/v2/refused/tags/list'))).toEqual([404, 'NAME_UNKNOWN']);
  });

  it('that refers to another is found by it, also by type, until it is deleted', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    const config = addBlob(place, 'application/vnd.oci.empty.v1+json', {});
    const subject = { mediaType: image.mediaType, digest: image.digest, size: image.size };
    const signature = addBlob(place, OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: 'application/signature',
      config,
      layers: [],
      subject,
      annotations: { by: 'me' },
    });
    await pushImage('signed', place, image, '1');
    const response = await pushImage('signed', place, signature, signature.digest);
    expect(response.headers.get('oci-subject')).toBe(image.digest);
    const list = async (query = ''): Promise<unknown> => {
      const answer = await send('GET', `/v2/signed/referrers/${image.digest}${query}`);
      expect(answer.headers.get('content-type')).toBe(OCI_INDEX);
      return ((await answer.json()) as { manifests: unknown }).manifests;
    };
    const entry = { ...signature, artifactType: 'application/signature', annotations: { by: 'me' } };
    expect(await list()).toEqual([entry]);
    expect(await list('?artifactType=application/signature')).toEqual([entry]);
    expect(await list('?artifactType=application/other')).toEqual([]);
    expect((await send('DELETE', `/v2/signed/manifests/${signature.digest}`)).status).toBe(202);
    expect(await list()).toEqual([]);
    expect((await send('GET', `/v2/signed/manifests/${signature.digest}`)).status).toBe(404);
  });

  it('that refers to another is found under every name of the image, and where it is deleted no more (issue 5)', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    const name = parseReference('localhost:5000/tools/attached:1');
    nameImage(place, name, image);
    await createCopier(store).copy(place, name);
    await pushImage('tools/copied', place, image, '1');
    const client = createClient({ store: store.dir });
    const { root } = await attach(client, 'localhost:5000/tools/attached:1', [import.meta.filename], {
      artifactType: 'application/report',
    });
    await client.close();
    const list = async (repository: string): Promise<string[]> => {
      const answer = await send('GET', `/v2/${repository}/referrers/${image.digest}`);
      const { manifests } = (await answer.json()) as { manifests: Descriptor[] };
      return manifests.map(({ digest }) => digest);
    };
    expect(await list('tools/attached')).toEqual([root.digest]);
    expect(await list('tools/copied')).toEqual([root.digest]);
    expect(await list('tools/other')).toEqual([]);
    expect((await send('DELETE', `/v2/tools/copied/manifests/${root.digest}`)).status).toBe(202);
    expect(await list('tools/copied')).toEqual([]);
    expect(await list('tools/attached')).toEqual([root.digest]);
  });

  it('is deleted by tag, or by digest with all its tags', async () => {
    const place = memoryPlace();
    const image = addImage(place);
    for (const tag of ['1', '2', '3']) await pushImage('gone', place, image, tag);
    expect((await send('DELETE', '/v2/gone/manifests/1')).status).toBe(202);
    expect((await send('DELETE', '/v2/gone/manifests/1')).status).toBe(404);
    expect((await send('GET', `/v2/gone/manifests/${image.digest}`)).status).toBe(200);
    expect((await send('DELETE', `/v2/gone/manifests/${image.digest}`)).status).toBe(202);
    for (const reference of ['2', '3', image.digest]) {
      expect((await send('GET', `/v2/gone/manifests/${reference}`)).status).toBe(404);
    }
    expect(await (await send('GET', '/v2/gone/tags/list')).json()).toEqual({ name: 'gone', tags: [] });
  });
});

it('takes nothing from a web page', async () => {
  const response = await send('POST', '/v2/page/blobs/uploads/', {
    headers: { origin: 'http://example.com' },
  });
  expect(await codeOf(response)).toEqual([403, 'DENIED']);
});

it('finishes what is under way before it stops', async () => {
  const own = await serveStore(store);
  const bytes = randomBytes(200_000);
  const upload = request(`${own.url}/v2/stop/blobs/uploads/?digest=${digestOf(bytes)}`, {
    method: 'POST',
    headers: { 'content-length': bytes.length },
  });
  const status = new Promise<number | undefined>((done, fail) => {
    upload.on('response', (response) => done(response.resume().statusCode)).on('error', fail);
  });
  await new Promise<void>((done) => void upload.write(bytes.subarray(0, 1000), () => done()));
  await expect.poll(() => own.busy()).toBe(1);
  const stopped = own.stop(20_000);
  upload.end(bytes.subarray(1000));
  expect(await status).toBe(201);
  await stopped;
  await expect(fetch(`${own.url}/v2/`)).rejects.toThrow();
});

it('asks for the password of a file, and speaks TLS', async ({ skip }) => {
  if (!hasTools('htpasswd', 'skopeo')) skip();
  const users = join(dir, 'users');
  writeFileSync(users, await tool('htpasswd', '-Bbn', 'me', 'secret'));
  const authority = await createAuthority();
  const { certFile, keyFile } = await authority.server();
  const [cert, key] = [readFileSync(certFile, 'utf8'), readFileSync(keyFile, 'utf8')];
  authority.remove();
  const own = await serveStore(store, { tls: { cert, key }, authorize: readHtpasswd(users) });
  const place = memoryPlace();
  try {
    await pushImage('private', place, addImage(place), '1');
    const image = `docker://${new URL(own.url).host}/private:1`;
    const inspect = (...flags: string[]): Promise<string> =>
      skopeo('inspect', '--tls-verify=false', ...flags, image);
    expect(own.url).toMatch(/^https:/);
    await expect(inspect()).rejects.toThrow(/unauthorized|authentication/i);
    await expect(inspect('--creds', 'me:wrong')).rejects.toThrow(/unauthorized|authentication/i);
    await expect(inspect('--creds', 'other:secret')).rejects.toThrow(/unauthorized|authentication/i);
    const logins = Array.from({ length: 8 }, () => inspect('--creds', 'me:secret'));
    expect(await Promise.all(logins)).toHaveLength(8);
    expect(JSON.parse(await inspect('--creds', 'me:secret'))).toMatchObject({ Architecture: 'amd64' });
  } finally {
    await own.close();
  }
  writeFileSync(users, 'me:{SHA}abc\n');
  expect(() => readHtpasswd(users)).toThrow(`${users}:1`);
});

it('is pushed to and pulled from by skopeo', async ({ skip }) => {
  if (!hasTools('skopeo')) skip();
  const source = await openStore(join(dir, 'source'));
  const place = memoryPlace();
  const image = addImage(place, { layers: [randomBytes(2_000_000)] });
  await pushImage('skopeo/first', place, image, '1');
  const address = new URL(server.url).host;
  const there = `docker://${address}/skopeo/first:1`;
  await skopeo('copy', '--src-tls-verify=false', there, `oci:${source.dir}:x`);
  await skopeo(
    'copy',
    '--dest-tls-verify=false',
    `oci:${source.dir}:x`,
    `docker://${address}/skopeo/second:1`,
  );
  await skopeo('delete', '--tls-verify=false', there);
  expect(await store.resolve(parseReference('skopeo/second:1'))).toMatchObject({ digest: image.digest });
  await expect(store.resolve(parseReference('skopeo/first:1'))).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
  });
});
