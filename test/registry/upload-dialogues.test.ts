// What registries really do to those who write to them, one dialogue each.
import nock from 'nock';
import { describe, expect, it } from 'vitest';
import type { Ingest } from '../../src/place/place.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import {
  authorized,
  basic,
  bearer,
  described,
  good,
  layer,
  layerDescriptor,
  manifest,
  setUpDialogues,
  sha256,
} from '../support/dialogue.ts';

const dialogue = setUpDialogues();
const host = 'https://registry.example.com';
const { digest } = layerDescriptor;
const encoded = encodeURIComponent(digest);
const blob = `/v2/team/app/blobs/${digest}`;
const anonymousMount = `/v2/team/app/blobs/uploads/?mount=${encoded}`;

function repository(name = 'registry.example.com/team/app'): Repository {
  return openRepository(dialogue.transport, parseReference(name), { access: 'push' });
}

async function upload(target: Repository, from?: Repository): Promise<Ingest | undefined> {
  const ingest = await target.ingest(layerDescriptor, { from });
  await ingest?.write(layer);
  await ingest?.commit();
  return ingest;
}

/** It is not there, and no mount finds it. */
function absent(): nock.Scope {
  return nock(host).head(blob).reply(404);
}

describe('Location of an upload', () => {
  const locations: [what: string, location: string, path: string][] = [
    ['relative', '/v2/team/app/blobs/uploads/u1', `/v2/team/app/blobs/uploads/u1?digest=${encoded}`],
    ['absolute', `${host}/u1`, `/u1?digest=${encoded}`],
    [
      'with a query, which stays as it is',
      `${host}/u1?_state=a%2Bb%2F+c==`,
      `/u1?_state=a%2Bb%2F+c==&digest=${encoded}`,
    ],
    [
      'with port 443 where the name has none (oras-go#177)',
      'https://registry.example.com:443/u1',
      `/u1?digest=${encoded}`,
    ],
    [
      'by http, from behind a proxy that speaks TLS',
      'http://registry.example.com/u1',
      `/u1?digest=${encoded}`,
    ],
  ];
  it.each(locations)('%s', async (_, location, path) => {
    absent().post(anonymousMount).reply(202, '', { location });
    const asked = new Set<string>();
    nock(host)
      .put((uri) => asked.add(uri).size > 0, layer.toString())
      .reply(201);
    await upload(repository());
    // nock asks with and without the query.
    expect([...asked].filter((uri) => uri.includes('digest='))).toEqual([path]);
  });

  it('at another host: it gets the bytes, and no Authorization', async () => {
    absent().post(anonymousMount).reply(401, '', { 'www-authenticate': 'Basic realm="x"' });
    authorized(host, basic('me', 'secret'))
      .post(anonymousMount)
      .reply(202, '', { location: 'https://storage.example.net/u' });
    nock('https://storage.example.net', { badheaders: ['authorization'] })
      .put(`/u?digest=${encoded}`)
      .reply(201);
    const credentials = async () => ({ type: 'basic', username: 'me', password: 'secret' }) as const;
    const target = openRepository(dialogue.transport, parseReference('registry.example.com/team/app'), {
      credentials,
    });
    await upload(target);
  });

  it('missing: said so', async () => {
    absent().post(anonymousMount).reply(202);
    await expect(upload(repository())).rejects.toMatchObject({
      code: 'REGISTRY_ERROR',
      message: expect.stringContaining('without saying where'),
    });
  });
});

describe('the end of an upload', () => {
  it.each([200, 201, 202, 204])('%i is success in one registry or another', async (status) => {
    absent()
      .post(anonymousMount)
      .reply(202, '', { location: '/u' })
      .put(`/u?digest=${encoded}`)
      .reply(status);
    await upload(repository());
  });

  it('a 401 in the middle: a new token, and the same bytes once more', async () => {
    const challenge = bearer('https://auth.example.com/token', { scope: 'repository:team/app:pull,push' });
    let given = 0;
    nock('https://auth.example.com')
      .get('/token')
      .query({ scope: 'repository:team/app:pull,push' })
      .times(2)
      .reply(200, () => ({ token: `t${++given}` }));
    absent();
    nock(host).post(anonymousMount).reply(401, '', challenge);
    authorized(host, 'Bearer t1').post(anonymousMount).reply(202, '', { location: '/u' });
    authorized(host, 'Bearer t1').put(`/u?digest=${encoded}`).reply(401, '', challenge);
    authorized(host, 'Bearer t2').put(`/u?digest=${encoded}`, layer.toString()).reply(201);
    await upload(repository());
  });

  it('DIGEST_INVALID: other bytes arrived', async () => {
    absent()
      .post(anonymousMount)
      .reply(202, '', { location: '/u' })
      .put(`/u?digest=${encoded}`)
      .reply(400, { errors: [{ code: 'DIGEST_INVALID' }] });
    await expect(upload(repository())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});

describe('whether a blob is there', () => {
  it('Artifactory answers 403 of one that is not', async () => {
    nock(host).head(blob).reply(403);
    expect(await repository().has(layerDescriptor)).toBe(false);
  });
  it('it is: nothing is sent', async () => {
    nock(host).head(blob).reply(200);
    expect(await upload(repository())).toBeUndefined();
  });
  it('a foreign layer stays where its urls say', async () => {
    const foreign = {
      ...layerDescriptor,
      mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
      urls: ['https://mcr.example.com/layer'],
    };
    expect(await repository().ingest(foreign)).toBeUndefined();
  });
});

describe('mounts', () => {
  const mount = `/v2/team/app/blobs/uploads/?mount=${encoded}&from=other%2Fbase`;
  const from = () => repository('registry.example.com/other/base');

  it('201: nothing is sent', async () => {
    absent().post(mount).reply(201);
    expect(await upload(repository(), from())).toBeUndefined();
  });
  it('202: the upload goes on with what the answer gave', async () => {
    absent().post(mount).reply(202, '', { location: '/u' }).put(`/u?digest=${encoded}`).reply(201);
    await upload(repository(), from());
  });
  it('Docker Hub answers 400 where one may not read the other repository: uploaded, and not asked again (ggcr#1741)', async () => {
    absent()
      .post(mount)
      .reply(400, { errors: [{ code: 'UNSUPPORTED' }] });
    nock(host).post('/v2/team/app/blobs/uploads/').reply(202, '', { location: '/u' });
    nock(host).put(`/u?digest=${encoded}`).reply(201);
    const target = repository();
    await upload(target, from());
    absent().post('/v2/team/app/blobs/uploads/').reply(202, '', { location: '/u' });
    nock(host).put(`/u?digest=${encoded}`).reply(201);
    await upload(target, from());
  });
  it('Quay fails on a mount without from: uploaded', async () => {
    absent()
      .post(anonymousMount)
      .reply(404, { errors: [{ code: 'BLOB_UPLOAD_INVALID' }] });
    nock(host).post('/v2/team/app/blobs/uploads/').reply(202, '', { location: '/u' });
    nock(host).put(`/u?digest=${encoded}`).reply(201);
    await upload(repository());
  });
  it('a token server that refuses to let one read the other repository: uploaded', async () => {
    const challenge = (scope: string) => bearer('https://auth.example.com/token', { scope });
    absent()
      .post(mount)
      .reply(401, '', challenge('repository:team/app:pull,push repository:other/base:pull'));
    nock('https://auth.example.com')
      .get('/token')
      .query(({ scope }) => Array.isArray(scope))
      .reply(403);
    nock(host).post('/v2/team/app/blobs/uploads/').reply(202, '', { location: '/u' });
    nock(host).put(`/u?digest=${encoded}`).reply(201);
    await upload(repository(), from());
  });
  it('a token server that reads only the first of two scopes: asked once, uploaded', async () => {
    const scope = 'repository:team/app:pull,push repository:other/base:pull';
    const challenge = (more: object) => bearer('https://auth.example.com/token', { scope, ...more });
    absent().post(mount).reply(401, '', challenge({}));
    nock('https://auth.example.com').get('/token').query(true).reply(200, { token: 'for-one' });
    authorized(host, 'Bearer for-one')
      .post(mount)
      .reply(401, '', challenge({ error: 'insufficient_scope' }));
    nock(host).post('/v2/team/app/blobs/uploads/').reply(202, '', { location: '/u' });
    nock(host).put(`/u?digest=${encoded}`).reply(201);
    await upload(repository(), from());
  });
  it('not from another registry, and not from itself', async () => {
    for (const source of ['registry.example.org/other/base', 'registry.example.com/team/app']) {
      absent().post(anonymousMount).reply(201);
      await upload(repository(), repository(source));
    }
  });
});

describe('refusals', () => {
  const refused: [what: string, status: number, body: object, code: string, message: RegExp][] = [
    [
      'no right to push',
      403,
      { errors: [{ code: 'DENIED', message: 'requested access' }] },
      'DENIED',
      /not allowed to push/,
    ],
    [
      'ECR wants repositories created first',
      404,
      { errors: [{ code: 'NAME_UNKNOWN' }] },
      'IMAGE_NOT_FOUND',
      /no such repository/,
    ],
    ['a pull-through cache', 405, { errors: [{ code: 'UNSUPPORTED' }] }, 'UNSUPPORTED', /takes nothing in/],
  ];
  it.each(refused)('%s', async (_, status, body, code, message) => {
    absent().post(anonymousMount).reply(status, body);
    nock(host).post('/v2/team/app/blobs/uploads/').reply(status, body);
    await expect(upload(repository())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('manifests', () => {
  const name = parseReference('registry.example.com/team/app:1');
  const document = { ...described, size: Buffer.byteLength(manifest) };

  async function write(target: Repository): Promise<void> {
    const ingest = (await target.ingest(document))!;
    await ingest.write(Buffer.from(manifest));
    await ingest.commit();
  }

  it('are written by digest, then by tag, with their type and without being read again', async () => {
    const typed = { reqheaders: { 'content-type': described.mediaType } };
    nock(host, typed).put(`/v2/team/app/manifests/${described.digest}`, manifest).reply(201, '', good);
    nock(host, typed).put('/v2/team/app/manifests/1', manifest).reply(201, '', good);
    const target = repository();
    await write(target);
    await target.tag(document, name);
  });
  it('that name a blob the registry lacks: its own words, no "no such image"', async () => {
    const body = { errors: [{ code: 'MANIFEST_BLOB_UNKNOWN', message: 'blob unknown to registry' }] };
    nock(host).put(`/v2/team/app/manifests/${described.digest}`).reply(400, body);
    await expect(write(repository())).rejects.toMatchObject({
      code: 'REGISTRY_ERROR',
      message: expect.stringContaining('blob unknown to registry'),
    });
  });
  it('that the registry rewrites: told', async () => {
    const changed = { 'docker-content-digest': layerDescriptor.digest };
    nock(host).put(`/v2/team/app/manifests/${described.digest}`).reply(201, '', changed);
    await expect(write(repository())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
  it('under a digest that is not theirs: refused before anything is sent', async () => {
    const other = { ...name, digest: layerDescriptor.digest };
    await expect(repository().tag(document, other)).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('a manifest that the registry calls changed', () => {
  const broken = {
    errors: [{ code: 'DIGEST_INVALID', message: 'provided digest did not match uploaded content' }],
  };
  const path = `/v2/team/app/manifests/${described.digest}`;
  const write = async (): Promise<void> => {
    const ingest = (await repository().ingest(described))!;
    await ingest.write(Buffer.from(manifest));
    await ingest.commit();
  };

  it('because another client was linking one of its blobs (docker-registry 2): sent again', async () => {
    nock(host).put(path).times(2).reply(400, broken);
    nock(host).put(path, manifest).reply(201);
    await write();
  });
  it('every time: DIGEST_MISMATCH', async () => {
    nock(host).put(path).times(4).reply(400, broken);
    await expect(write()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });
});

describe('a manifest that refers to another (distribution spec 1.1)', () => {
  const subject = { mediaType: described.mediaType, digest: described.digest, size: described.size };
  const raw = JSON.stringify({
    ...(JSON.parse(manifest) as object),
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    artifactType: 'application/vnd.example.sbom',
    annotations: { made: 'today' },
    subject,
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const referrer = { mediaType, digest: sha256(raw), size: raw.length };
  const entry = { ...referrer, artifactType: 'application/vnd.example.sbom', annotations: { made: 'today' } };
  const tag = `/v2/team/app/manifests/${described.digest.replace(':', '-')}`;
  const index = 'application/vnd.oci.image.index.v1+json';
  const list = (manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: index, manifests });

  async function write(): Promise<void> {
    const ingest = (await repository().ingest(referrer))!;
    await ingest.write(Buffer.from(raw));
    await ingest.commit();
  }

  it('is noted by a registry that says so: nothing more is written', async () => {
    nock(host)
      .put(`/v2/team/app/manifests/${referrer.digest}`)
      .reply(201, '', { 'oci-subject': subject.digest });
    await write();
  });
  it('is listed under the tag of its subject where the registry knows nothing of that', async () => {
    nock(host).put(`/v2/team/app/manifests/${referrer.digest}`).reply(201);
    nock(host).get(tag).reply(404);
    nock(host, { reqheaders: { 'content-type': index } })
      .put(tag, list([entry]))
      .reply(201);
    nock(host)
      .get(tag)
      .reply(200, list([entry]));
    await write();
  });
  it('joins those that are listed, once', async () => {
    const other = { mediaType, digest: layerDescriptor.digest, size: 7 };
    nock(host).put(`/v2/team/app/manifests/${referrer.digest}`).times(2).reply(201);
    nock(host)
      .get(tag)
      .reply(200, list([other]));
    nock(host)
      .put(tag, list([other, entry]))
      .reply(201);
    nock(host)
      .get(tag)
      .times(2)
      .reply(200, list([other, entry]));
    await write();
    await write();
  });
  it('is written once more when another who wrote at the same moment did not know of it', async () => {
    const other = { mediaType, digest: layerDescriptor.digest, size: 7 };
    nock(host).put(`/v2/team/app/manifests/${referrer.digest}`).reply(201);
    nock(host).get(tag).reply(404);
    nock(host)
      .put(tag, list([entry]))
      .reply(201);
    nock(host)
      .get(tag)
      .reply(200, list([other]));
    nock(host)
      .put(tag, list([other, entry]))
      .reply(201);
    nock(host)
      .get(tag)
      .reply(200, list([other, entry]));
    await write();
  });
});

describe('deletion', () => {
  const tag = parseReference('registry.example.com/team/app:1');
  const answers: [what: string, status: number, body: object | string, code: string][] = [
    ['switched off', 405, { errors: [{ code: 'UNSUPPORTED' }] }, 'UNSUPPORTED'],
    ['docker-registry 2 does not delete tags', 400, { errors: [{ code: 'DIGEST_INVALID' }] }, 'UNSUPPORTED'],
    ['no right to', 403, { errors: [{ code: 'DENIED' }] }, 'DENIED'],
    ['not there', 404, { errors: [{ code: 'MANIFEST_UNKNOWN' }] }, 'IMAGE_NOT_FOUND'],
  ];
  it.each(answers)('%s', async (_, status, body, code) => {
    nock(host).delete('/v2/team/app/manifests/1').reply(status, body);
    await expect(repository().remove(tag)).rejects.toMatchObject({ code });
  });
});
