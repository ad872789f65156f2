// What registries really say, one dialogue each; nock answers at the socket, so everything above it is the real thing.
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import nock from 'nock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readVerified } from '../../src/place/verify.ts';
import type { Digest } from '../../src/reference/digest.ts';
import { parseReference } from '../../src/reference/reference.ts';
import { createAuth } from '../../src/registry/authorizer.ts';
import { discard } from '../../src/registry/body.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import { openRepository, type Repository } from '../../src/registry/repository.ts';
import { createTransport, type Transport } from '../../src/registry/transport.ts';
import { corpusJson } from '../support/corpora.ts';

const MANIFEST_TYPE = 'application/vnd.docker.distribution.manifest.v2+json';
const layer = Buffer.from('a layer');
const layerDescriptor = { mediaType: 'application/octet-stream', digest: sha256(layer), size: layer.length };
const manifest = JSON.stringify({
  schemaVersion: 2,
  mediaType: MANIFEST_TYPE,
  config: { mediaType: 'application/vnd.docker.container.image.v1+json', digest: sha256('{}'), size: 2 },
  layers: [{ ...layerDescriptor, mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip' }],
});
const good = { 'content-type': MANIFEST_TYPE, 'docker-content-digest': sha256(manifest) };
const described = { mediaType: MANIFEST_TYPE, digest: sha256(manifest), size: manifest.length };

let transport: Transport;

beforeEach(() => {
  nock.disableNetConnect();
  transport = createTransport({ retry: { retries: 0 } });
});

afterEach(async () => {
  await transport.close();
  const pending = nock.pendingMocks();
  nock.cleanAll();
  nock.enableNetConnect();
  expect(pending).toEqual([]);
});

function sha256(content: Buffer | string): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
}

function repository(name: string, credential?: Credential): Repository {
  return openRepository(transport, parseReference(name), { credentials: async () => credential });
}

function bearer(realm: string, params: Record<string, string> = {}): Record<string, string> {
  const rest = Object.entries(params).map(([key, value]) => `,${key}="${value}"`);
  return { 'www-authenticate': `Bearer realm="${realm}"${rest.join('')}` };
}

/** The next request has no Authorization. */
function anonymous(host: string): nock.Scope {
  return nock(host, { badheaders: ['authorization'] });
}

/** The next request has this one. */
function authorized(host: string, authorization: string): nock.Scope {
  return nock(host, { reqheaders: { authorization } });
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function collect(tags: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const tag of tags) all.push(tag);
  return all;
}

describe('Docker Hub', () => {
  const hub = 'https://registry-1.docker.io';
  const challenge = bearer('https://auth.docker.io/token', {
    service: 'registry.docker.io',
    scope: 'repository:library/alpine:pull',
  });

  it('gives an anonymous token, and blobs from a CDN that gets no Authorization', async () => {
    anonymous(hub).get('/v2/library/alpine/manifests/3.20').reply(401, '', challenge);
    anonymous('https://auth.docker.io')
      .get('/token?service=registry.docker.io&scope=repository%3Alibrary%2Falpine%3Apull')
      .reply(200, { token: 't1', access_token: 't1', expires_in: 300, issued_at: '2020-08-20T06:17:42Z' });
    authorized(hub, 'Bearer t1').get('/v2/library/alpine/manifests/3.20').reply(200, manifest, good);
    const alpine = repository('alpine');
    expect(await alpine.resolve(parseReference('alpine:3.20'))).toEqual(described);

    authorized(hub, 'Bearer t1')
      .get(`/v2/library/alpine/blobs/${layerDescriptor.digest}`)
      .reply(307, '', { location: 'https://production.cloudflare.docker.com/data?verify=signed' });
    anonymous('https://production.cloudflare.docker.com').get('/data?verify=signed').reply(200, layer);
    await readVerified(await alpine.fetch(layerDescriptor), layerDescriptor);
  });

  it('says insufficient_scope of an image that does not exist: one token, no loop', async () => {
    const scope = 'repository:library/nope:pull';
    const params = { service: 'registry.docker.io', scope };
    anonymous(hub)
      .get('/v2/library/nope/manifests/latest')
      .reply(401, '', bearer('https://auth.docker.io/token', params));
    nock('https://auth.docker.io').get('/token').query(true).reply(200, { token: 't1' });
    authorized(hub, 'Bearer t1')
      .get('/v2/library/nope/manifests/latest')
      .reply(401, '', bearer('https://auth.docker.io/token', { ...params, error: 'insufficient_scope' }));
    await expect(repository('nope').resolve(parseReference('nope'))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'docker.io/library/nope:latest: does not exist or is private',
      hint: expect.stringContaining('ocitool login docker.io'),
    });
  });

  it('is asked with HEAD when only the digest matters', async () => {
    anonymous(hub)
      .head('/v2/library/alpine/manifests/latest')
      .reply(200, '', { ...good, 'content-length': String(manifest.length) });
    expect(await repository('alpine').resolve(parseReference('alpine'), { cheap: true })).toEqual(described);
  });

  it('refuses wrong credentials at its token server', async () => {
    anonymous(hub).get('/v2/library/alpine/manifests/latest').reply(401, '', challenge);
    authorized('https://auth.docker.io', basic('me', 'wrong'))
      .get('/token')
      .query(true)
      .reply(401, { details: 'incorrect username or password' });
    const alpine = repository('alpine', { type: 'basic', username: 'me', password: 'wrong' });
    await expect(alpine.resolve(parseReference('alpine'))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('incorrect username or password'),
      hint: expect.stringContaining('ocitool logout docker.io'),
    });
  });
});

describe('GHCR', () => {
  it('wants an anonymous token for public images, and a personal one by Basic', async () => {
    const ghcr = 'https://ghcr.io';
    const params = { service: 'ghcr.io', scope: 'repository:owner/app:pull' };
    anonymous(ghcr).get('/v2/owner/app/manifests/1').reply(401, '', bearer('https://ghcr.io/token', params));
    authorized(ghcr, basic('me', 'pat'))
      .get('/token?service=ghcr.io&scope=repository%3Aowner%2Fapp%3Apull')
      .reply(200, { token: 'djE6' });
    authorized(ghcr, 'Bearer djE6').get('/v2/owner/app/manifests/1').reply(200, manifest, good);
    const app = repository('ghcr.io/owner/app', { type: 'basic', username: 'me', password: 'pat' });
    expect(await app.resolve(parseReference('ghcr.io/owner/app:1'))).toEqual(described);
  });
});

describe('GCR', () => {
  it('answers 401 without a challenge: its /v2/ has one', async () => {
    const gcr = 'https://gcr.io';
    anonymous(gcr).get('/v2/project/app/manifests/1').reply(401);
    anonymous(gcr)
      .get('/v2/')
      .reply(401, '', bearer('https://gcr.io/v2/token', { service: 'gcr.io' }));
    anonymous(gcr)
      .get('/v2/token?service=gcr.io&scope=repository%3Aproject%2Fapp%3Apull')
      .reply(200, { token: 't', expires_in: 43200 });
    authorized(gcr, 'Bearer t').get('/v2/project/app/manifests/1').reply(200, manifest, good);
    await repository('gcr.io/project/app').resolve(parseReference('gcr.io/project/app:1'));
  });

  it('knows no OAuth2 (404): the refresh token is shown as a password', async () => {
    const gcr = 'https://gcr.io';
    const params = { service: 'gcr.io', scope: 'repository:project/app:pull' };
    anonymous(gcr)
      .get('/v2/project/app/manifests/1')
      .reply(401, '', bearer('https://gcr.io/v2/token', params));
    nock(gcr)
      .post('/v2/token', /grant_type=refresh_token/)
      .reply(404);
    authorized(gcr, basic('oauth2accesstoken', 'refresh'))
      .get('/v2/token')
      .query(true)
      .reply(200, { token: 't' });
    authorized(gcr, 'Bearer t').get('/v2/project/app/manifests/1').reply(200, manifest, good);
    const credential: Credential = {
      type: 'refresh',
      refreshToken: 'refresh',
      username: 'oauth2accesstoken',
    };
    await repository('gcr.io/project/app', credential).resolve(parseReference('gcr.io/project/app:1'));
  });
});

describe('ECR', () => {
  const ecr = 'https://123456789012.dkr.ecr.eu-west-1.amazonaws.com';
  const name = '123456789012.dkr.ecr.eu-west-1.amazonaws.com/app';
  const credential: Credential = { type: 'basic', username: 'AWS', password: 'secret' };

  it('takes Basic, and leaves the digest out: the body is hashed', async () => {
    anonymous(ecr)
      .get('/v2/app/manifests/1')
      .reply(401, '', { 'www-authenticate': `Basic realm="${ecr}/",service="ecr.amazonaws.com"` });
    authorized(ecr, basic('AWS', 'secret'))
      .get('/v2/app/manifests/1')
      .reply(200, manifest, { 'content-type': MANIFEST_TYPE });
    expect(await repository(name, credential).resolve(parseReference(`${name}:1`))).toEqual(described);
  });

  it('without a login says how to log in', async () => {
    anonymous(ecr)
      .get('/v2/app/manifests/1')
      .reply(401, '', { 'www-authenticate': `Basic realm="${ecr}/"` });
    await expect(repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining('ocitool login 123456789012.dkr.ecr'),
    });
  });

  it('refuses credentials that are out of date: asked once, no loop', async () => {
    const challenge = { 'www-authenticate': `Basic realm="${ecr}/"` };
    anonymous(ecr).get('/v2/app/manifests/1').reply(401, '', challenge);
    authorized(ecr, basic('AWS', 'secret')).get('/v2/app/manifests/1').reply(401, '', challenge);
    await expect(repository(name, credential).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    });
  });

  it('Public asks for the bare scope aws', async () => {
    const host = 'https://public.ecr.aws';
    const params = { service: 'public.ecr.aws', scope: 'aws' };
    anonymous(host)
      .get('/v2/a/b/manifests/1')
      .reply(401, '', bearer('https://public.ecr.aws/token/', params));
    anonymous(host).get('/token/?service=public.ecr.aws&scope=aws').reply(200, { token: 't' });
    authorized(host, 'Bearer t').get('/v2/a/b/manifests/1').reply(200, manifest, good);
    await repository('public.ecr.aws/a/b').resolve(parseReference('public.ecr.aws/a/b:1'));
  });

  it('has no more than 1000 tags a page', async () => {
    anonymous(ecr)
      .get('/v2/app/tags/list?n=1000')
      .reply(200, { name: 'app', tags: ['1'] });
    const tags = await collect(repository(name).tags({ n: 5000 }));
    expect(tags).toEqual(['1']);
  });
});

describe('ACR', () => {
  it('trades a refresh token for an access token without token or expires_in', async () => {
    const acr = 'https://myregistry.azurecr.io';
    const params = { service: 'myregistry.azurecr.io', scope: 'repository:app:pull' };
    anonymous(acr)
      .get('/v2/app/manifests/1')
      .reply(401, '', bearer(`${acr}/oauth2/token`, params));
    anonymous(acr)
      .post('/oauth2/token', {
        grant_type: 'refresh_token',
        client_id: 'ocitool',
        service: 'myregistry.azurecr.io',
        scope: 'repository:app:pull',
        refresh_token: 'long',
      })
      .reply(200, { access_token: 'short' });
    authorized(acr, 'Bearer short').get('/v2/app/manifests/1').reply(200, manifest, good);
    const app = repository('myregistry.azurecr.io/app', { type: 'refresh', refreshToken: 'long' });
    await app.resolve(parseReference('myregistry.azurecr.io/app:1'));
  });

  it.each([400, 401, 404, 405])('and others answer %i to OAuth2: GET it is', async (status) => {
    const host = 'https://old.example.com';
    const params = { service: 'old', scope: 'repository:app:pull' };
    anonymous(host)
      .get('/v2/app/manifests/1')
      .reply(401, '', bearer(`${host}/token`, params));
    nock(host).post('/token').reply(status, {});
    authorized(host, basic('<token>', 'long')).get('/token').query(true).reply(200, { token: 't' });
    authorized(host, 'Bearer t').get('/v2/app/manifests/1').reply(200, manifest, good);
    const app = repository('old.example.com/app', { type: 'refresh', refreshToken: 'long' });
    await app.resolve(parseReference('old.example.com/app:1'));
  });
});

describe('Quay', () => {
  it('offers Basic and Bearer on one line: Bearer is taken', async () => {
    const quay = 'https://quay.io';
    anonymous(quay).get('/v2/org/repo/manifests/1').reply(401, '', {
      'www-authenticate':
        'Basic realm="quay.io", Bearer realm="https://quay.io/v2/auth",service="quay.io",scope="repository:org/repo:pull"',
    });
    anonymous(quay)
      .get('/v2/auth?service=quay.io&scope=repository%3Aorg%2Frepo%3Apull')
      .reply(200, { token: 't' });
    authorized(quay, 'Bearer t').get('/v2/org/repo/manifests/1').reply(200, manifest, good);
    await repository('quay.io/org/repo').resolve(parseReference('quay.io/org/repo:1'));
  });
});

describe('GitLab', () => {
  it('has its token server on another host', async () => {
    const params = { service: 'container_registry', scope: 'repository:group/app:pull' };
    anonymous('https://registry.gitlab.com')
      .get('/v2/group/app/manifests/1')
      .reply(401, '', bearer('https://gitlab.com/jwt/auth', params));
    authorized('https://gitlab.com', basic('me', 'token'))
      .get('/jwt/auth')
      .query(true)
      .reply(200, { token: 't' });
    authorized('https://registry.gitlab.com', 'Bearer t')
      .get('/v2/group/app/manifests/1')
      .reply(200, manifest, good);
    const app = repository('registry.gitlab.com/group/app', {
      type: 'basic',
      username: 'me',
      password: 'token',
    });
    await app.resolve(parseReference('registry.gitlab.com/group/app:1'));
  });

  it('behind HTTPS that names an HTTP realm gets no credentials', async () => {
    anonymous('https://registry.example.com')
      .get('/v2/app/manifests/1')
      .reply(401, '', bearer('http://gitlab.example.com/jwt/auth'));
    const app = repository('registry.example.com/app', { type: 'basic', username: 'me', password: 'token' });
    await expect(app.resolve(parseReference('registry.example.com/app:1'))).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('http://gitlab.example.com'),
    });
  });
});

describe('Harbor', () => {
  it('says NOT_FOUND of a missing tag; the nearest ones are named', async () => {
    const harbor = 'https://harbor.example.com';
    anonymous(harbor)
      .get('/v2/library/app/manifests/1.2')
      .reply(404, { errors: [{ code: 'NOT_FOUND', message: 'artifact library/app:1.2 not found' }] });
    anonymous(harbor)
      .get('/v2/library/app/tags/list?n=1000')
      .reply(200, { tags: ['latest', '1.2.0', '1.2.1'] });
    const app = repository('harbor.example.com/library/app');
    await expect(app.resolve(parseReference('harbor.example.com/library/app:1.2'))).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      hint: expect.stringContaining('did you mean 1.2.0, 1.2.1'),
    });
  });

  it('gives another length to HEAD than to GET: the document’s own counts', async () => {
    const harbor = 'https://harbor.example.com';
    anonymous(harbor).get('/v2/library/app/manifests/1').reply(200, manifest, good);
    const app = repository('harbor.example.com/library/app');
    const descriptor = await app.resolve(parseReference('harbor.example.com/library/app:1'));
    // The document was read already: no second GET, which would count against a pull limit.
    expect((await buffer(await app.fetch(descriptor))).toString()).toBe(manifest);
  });
});

describe('Artifactory', () => {
  it('answers 401 to OAuth2, and lists digests among tags', async () => {
    const host = 'https://company.jfrog.io';
    const digests = [`sha256:${'a'.repeat(64)}`, `sha256__${'b'.repeat(64)}`];
    anonymous(host)
      .get('/v2/docker/app/tags/list')
      .reply(200, { name: 'docker/app', tags: ['1.0', ...digests, 'latest', 7, null] });
    const tags = await collect(repository('company.jfrog.io/docker/app').tags());
    expect(tags).toEqual(['1.0', 'latest']);
  });

  it.each([403, 405, 404])('answers %i to HEAD: GET has the answer', async (status) => {
    const host = 'https://company.jfrog.io';
    anonymous(host).head('/v2/docker/app/manifests/1').reply(status);
    anonymous(host).get('/v2/docker/app/manifests/1').reply(200, manifest, good);
    const app = repository('company.jfrog.io/docker/app');
    expect(await app.resolve(parseReference('company.jfrog.io/docker/app:1'), { cheap: true })).toEqual(
      described,
    );
  });
});

describe('others', () => {
  const host = 'https://swr.example.com';
  const name = 'swr.example.com/app';

  it('Huawei leaves sha256: out of the digest', async () => {
    const headers = {
      'content-type': MANIFEST_TYPE,
      'content-length': String(manifest.length),
      'docker-content-digest': sha256(manifest).slice('sha256:'.length),
    };
    anonymous(host).head('/v2/app/manifests/1').reply(200, '', headers);
    anonymous(host).get('/v2/app/manifests/1').reply(200, manifest, headers);
    const descriptor = await repository(name).resolve(parseReference(`${name}:1`), { cheap: true });
    expect(descriptor).toEqual(described);
  });

  it('Nexus lists no tags as null', async () => {
    anonymous(host).get('/v2/app/tags/list').reply(200, { name: 'app', tags: null });
    expect(await collect(repository(name).tags())).toEqual([]);
  });

  it('a digest header that lies is found out', async () => {
    anonymous(host)
      .get('/v2/app/manifests/1')
      .reply(200, manifest, { ...good, 'docker-content-digest': sha256('other') });
    await expect(repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  it('content that is not the digest asked for is refused', async () => {
    const digest = sha256('wanted');
    anonymous(host)
      .get(`/v2/app/manifests/${digest}`)
      .reply(200, manifest, { 'content-type': MANIFEST_TYPE });
    await expect(repository(name).resolve(parseReference(`${name}@${digest}`))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  it('a HEAD that names another digest than the one asked for is refused', async () => {
    const digest = sha256('wanted');
    anonymous(host)
      .head(`/v2/app/manifests/${digest}`)
      .reply(200, '', { ...good, 'content-length': String(manifest.length) });
    const resolving = repository(name).resolve(parseReference(`${name}@${digest}`), { cheap: true });
    await expect(resolving).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('a manifest without an end is not read to it', async () => {
    anonymous(host)
      .get('/v2/app/manifests/1')
      .reply(200, Buffer.alloc(5 << 20, ' '), good);
    await expect(repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'MANIFEST_TOO_LARGE',
    });
  });

  it('a repository that does not exist is said to', async () => {
    const body = { errors: [{ code: 'NAME_UNKNOWN', message: 'repository name not known to registry' }] };
    anonymous(host).get('/v2/app/manifests/1').reply(404, body);
    await expect(repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: `${name}:1: no such repository`,
    });
  });
});

describe('foreign layers', () => {
  const host = 'https://registry.example.com';
  const descriptor = {
    ...layerDescriptor,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: ['https://gone.example.net/layer', 'https://layers.example.net/layer'],
  };

  it('come from the registry when it has them', async () => {
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(200, layer);
    await readVerified(await repository('registry.example.com/app').fetch(descriptor), descriptor);
  });

  it('come from their own URLs else, without credentials (CVE-2020-15157)', async () => {
    const challenge = { 'www-authenticate': 'Basic realm="x"' };
    const app = repository('registry.example.com/app', { type: 'basic', username: 'me', password: 'secret' });
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(401, '', challenge);
    authorized(host, basic('me', 'secret')).get(`/v2/app/blobs/${descriptor.digest}`).reply(404);
    anonymous('https://gone.example.net').get('/layer').reply(410);
    anonymous('https://layers.example.net').get('/layer').reply(200, layer);
    await readVerified(await app.fetch(descriptor), descriptor);
  });

  it('at a cloud’s metadata service are refused', async () => {
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(404);
    const urls = ['http://169.254.169.254/latest/meta-data', 'https://169.254.169.254/latest'];
    const fetching = repository('registry.example.com/app').fetch({ ...descriptor, urls });
    await expect(fetching).rejects.toMatchObject({ code: 'DENIED' });
  });
});

describe('redirects', () => {
  const host = 'https://registry.example.com';
  const path = `/v2/app/blobs/${layerDescriptor.digest}`;
  const credential: Credential = { type: 'basic', username: 'me', password: 'secret' };

  it('to another host lose the Authorization for good, even when they come back', async () => {
    const app = repository('registry.example.com/app', credential);
    anonymous(host).get(path).reply(401, '', { 'www-authenticate': 'Basic realm="x"' });
    authorized(host, basic('me', 'secret'))
      .get(path)
      .reply(302, '', { location: 'https://cdn.example.net/1' });
    anonymous('https://cdn.example.net')
      .get('/1')
      .reply(302, '', { location: `${host}/elsewhere` });
    anonymous(host).get('/elsewhere').reply(200, layer);
    await readVerified(await app.fetch(layerDescriptor), layerDescriptor);
  });

  it('within the registry keep it', async () => {
    const app = repository('registry.example.com/app', credential);
    anonymous(host).get(path).reply(401, '', { 'www-authenticate': 'Basic realm="x"' });
    authorized(host, basic('me', 'secret')).get(path).reply(308, '', { location: '/storage/1' });
    authorized(host, basic('me', 'secret')).get('/storage/1').reply(200, layer);
    await readVerified(await app.fetch(layerDescriptor), layerDescriptor);
  });

  it('to a host that challenges by itself get an anonymous token there (ggcr#2359)', async () => {
    const app = repository('registry.example.com/app', credential);
    const mirror = 'https://mirror.example.net';
    anonymous(host).get(path).reply(401, '', { 'www-authenticate': 'Basic realm="x"' });
    authorized(host, basic('me', 'secret'))
      .get(path)
      .reply(307, '', { location: `${mirror}/blob` });
    const params = { service: 'm', scope: 'repository:m:pull' };
    anonymous(mirror)
      .get('/blob')
      .reply(401, '', bearer(`${mirror}/token`, params));
    anonymous(mirror).get('/token?service=m&scope=repository%3Am%3Apull').reply(200, { token: 'anon' });
    authorized(mirror, 'Bearer anon').get('/blob').reply(200, layer);
    await readVerified(await app.fetch(layerDescriptor), layerDescriptor);
  });

  it.each(['http://cdn.example.net/1', 'http://127.0.0.1/1', 'ftp://cdn.example.net/1'])(
    'from HTTPS to %s are refused',
    async (location) => {
      anonymous(host).get(path).reply(307, '', { location });
      await expect(repository('registry.example.com/app').fetch(layerDescriptor)).rejects.toMatchObject({
        code: 'REGISTRY_ERROR',
        message: expect.stringContaining('refused'),
      });
    },
  );

  it('without end are given up', async () => {
    anonymous(host).get(path).times(11).reply(302, '', { location: path });
    await expect(repository('registry.example.com/app').fetch(layerDescriptor)).rejects.toMatchObject({
      message: expect.stringContaining('more than 10 redirects'),
    });
  });
});

interface Exchange {
  request: { method: string; url: string; body?: string };
  response: { status: number; headers: Record<string, string>; body?: string };
}

const dialogues = corpusJson<{ dialogues: Record<string, { exchanges: Exchange[] }> }>(
  'auth/dialogues.json',
)?.dialogues;

describe.skipIf(dialogues === undefined)('recorded dialogues', () => {
  it('Docker Hub: alpine as docker pulled it in 2020', async () => {
    const [ping, token, list, child, blob, cdn] = dialogues!['dockerhub-alpine-20200820']!.exchanges;
    const hub = 'https://registry-1.docker.io';
    const at = ({ request }: Exchange): string => new URL(request.url).pathname + new URL(request.url).search;
    // docker asks /v2/ first; the challenge it gets there, without a scope, is what our first request gets.
    anonymous(hub).get(at(list!)).reply(401, ping!.response.body, ping!.response.headers);
    anonymous('https://auth.docker.io')
      .get('/token')
      .query(Object.fromEntries(new URL(token!.request.url).searchParams))
      .reply(200, token!.response.body?.replaceAll('{TOKEN}', 'recorded'), token!.response.headers);
    for (const exchange of [list!, child!]) {
      authorized(hub, 'Bearer recorded')
        .get(at(exchange))
        .reply(200, exchange.response.body, exchange.response.headers);
    }
    const alpine = repository('alpine');
    const index = await alpine.resolve(parseReference('alpine:latest'));
    expect(index).toEqual({
      mediaType: list!.response.headers['Content-Type'],
      digest: list!.response.headers['Docker-Content-Digest'],
      size: 1638,
    });
    const digest = child!.response.headers['Docker-Content-Digest'] as Digest;
    const amd64 = { mediaType: MANIFEST_TYPE, digest, size: 528 };
    const document = JSON.parse((await readVerified(await alpine.fetch(amd64), amd64)).toString());

    const signed = (text: string): string => text.replace('{SIGNED}', 'signed');
    const location = signed(blob!.response.headers.Location!);
    authorized(hub, 'Bearer recorded')
      .get(at(blob!))
      .reply(307, '', { ...blob!.response.headers, Location: location });
    anonymous('https://production.cloudflare.docker.com')
      .get(signed(decodeURIComponent(at(cdn!))))
      .reply(200, Buffer.alloc(1509), cdn!.response.headers);
    const config = { ...document.config, digest: document.config.digest as Digest };
    expect(await buffer(await alpine.fetch(config))).toHaveLength(1509);
  });

  it('ACR: the Azure SDK’s exchange of a refresh token', async () => {
    const exchanges = dialogues!['acr-recorded-20210611']!.exchanges;
    const [challenge, , token, answer] = exchanges as [Exchange, Exchange, Exchange, Exchange];
    const acr = 'https://myregistry.azurecr.io';
    const path = new URL(challenge.request.url).pathname;
    const filled = (text = ''): string => text.replaceAll(/\{([A-Z_]+)\}/g, '$1');
    // Its authors shortened the body, not its length.
    const { 'Content-Length': _length, ...headers } = challenge.response.headers;
    anonymous(acr).get(path).reply(401, challenge.response.body, headers);
    const form = Object.fromEntries(new URLSearchParams(filled(token.request.body)));
    anonymous(acr)
      .post('/oauth2/token', { ...form, client_id: 'ocitool' })
      .reply(200, filled(token.response.body), token.response.headers);
    authorized(acr, 'Bearer TOKEN').get(path).reply(200, '{}', { Link: answer.response.headers.Link! });
    const auth = createAuth(transport, {
      registry: 'myregistry.azurecr.io',
      credentials: async () => ({ type: 'refresh', refreshToken: 'REFRESH_TOKEN' }),
    });
    const response = await transport.request({
      method: 'GET',
      url: challenge.request.url,
      what: 'recorded',
      authorizer: auth.for(['repository:library/hello-world:metadata_read']),
    });
    expect(response.status).toBe(200);
    await discard(response);
  });
});
