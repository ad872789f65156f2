// What registries really say, one dialogue each.

import { buffer } from 'node:stream/consumers';
import nock from 'nock';
import { describe, expect, it } from 'vitest';
import { readVerified } from '../../src/place/verify.ts';
import { parseReference } from '../../src/reference/reference.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import {
  anonymous,
  authorized,
  basic,
  bearer,
  collect,
  described,
  good,
  layer,
  layerDescriptor,
  MANIFEST_TYPE,
  manifest,
  setUpDialogues,
} from '../support/dialogue.ts';

const dialogue = setUpDialogues();

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
    const alpine = dialogue.repository('alpine');
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
    await expect(dialogue.repository('nope').resolve(parseReference('nope'))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'docker.io/library/nope:latest: does not exist or is private',
      hint: expect.stringContaining('ocitool login docker.io'),
    });
  });

  it('is asked with HEAD when only the digest matters', async () => {
    anonymous(hub)
      .head('/v2/library/alpine/manifests/latest')
      .reply(200, '', { ...good, 'content-length': String(manifest.length) });
    expect(await dialogue.repository('alpine').resolve(parseReference('alpine'), { cheap: true })).toEqual(
      described,
    );
  });

  it('refuses wrong credentials at its token server', async () => {
    anonymous(hub).get('/v2/library/alpine/manifests/latest').reply(401, '', challenge);
    authorized('https://auth.docker.io', basic('me', 'wrong'))
      .get('/token')
      .query(true)
      .reply(401, { details: 'incorrect username or password' });
    const alpine = dialogue.repository('alpine', { type: 'basic', username: 'me', password: 'wrong' });
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
    const app = dialogue.repository('ghcr.io/owner/app', { type: 'basic', username: 'me', password: 'pat' });
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
    await dialogue.repository('gcr.io/project/app').resolve(parseReference('gcr.io/project/app:1'));
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
    await dialogue
      .repository('gcr.io/project/app', credential)
      .resolve(parseReference('gcr.io/project/app:1'));
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
    expect(await dialogue.repository(name, credential).resolve(parseReference(`${name}:1`))).toEqual(
      described,
    );
  });

  it('without a login says how to log in', async () => {
    anonymous(ecr)
      .get('/v2/app/manifests/1')
      .reply(401, '', { 'www-authenticate': `Basic realm="${ecr}/"` });
    await expect(dialogue.repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      hint: expect.stringContaining('ocitool login 123456789012.dkr.ecr'),
    });
  });

  it('refuses credentials that are out of date: asked once, no loop', async () => {
    const challenge = { 'www-authenticate': `Basic realm="${ecr}/"` };
    anonymous(ecr).get('/v2/app/manifests/1').reply(401, '', challenge);
    authorized(ecr, basic('AWS', 'secret')).get('/v2/app/manifests/1').reply(401, '', challenge);
    await expect(
      dialogue.repository(name, credential).resolve(parseReference(`${name}:1`)),
    ).rejects.toMatchObject({
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
    await dialogue.repository('public.ecr.aws/a/b').resolve(parseReference('public.ecr.aws/a/b:1'));
  });

  it('has no more than 1000 tags a page', async () => {
    anonymous(ecr)
      .get('/v2/app/tags/list?n=1000')
      .reply(200, { name: 'app', tags: ['1'] });
    const tags = await collect(dialogue.repository(name).tags({ n: 5000 }));
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
    const app = dialogue.repository('myregistry.azurecr.io/app', { type: 'refresh', refreshToken: 'long' });
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
    const app = dialogue.repository('old.example.com/app', { type: 'refresh', refreshToken: 'long' });
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
    await dialogue.repository('quay.io/org/repo').resolve(parseReference('quay.io/org/repo:1'));
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
    const app = dialogue.repository('registry.gitlab.com/group/app', {
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
    const app = dialogue.repository('registry.example.com/app', {
      type: 'basic',
      username: 'me',
      password: 'token',
    });
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
    const app = dialogue.repository('harbor.example.com/library/app');
    await expect(app.resolve(parseReference('harbor.example.com/library/app:1.2'))).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      hint: expect.stringContaining('did you mean 1.2.0, 1.2.1'),
    });
  });

  it('gives another length to HEAD than to GET: the document’s own counts', async () => {
    const harbor = 'https://harbor.example.com';
    anonymous(harbor).get('/v2/library/app/manifests/1').reply(200, manifest, good);
    const app = dialogue.repository('harbor.example.com/library/app');
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
    const tags = await collect(dialogue.repository('company.jfrog.io/docker/app').tags());
    expect(tags).toEqual(['1.0', 'latest']);
  });

  it.each([403, 405, 404])('answers %i to HEAD: GET has the answer', async (status) => {
    const host = 'https://company.jfrog.io';
    anonymous(host).head('/v2/docker/app/manifests/1').reply(status);
    anonymous(host).get('/v2/docker/app/manifests/1').reply(200, manifest, good);
    const app = dialogue.repository('company.jfrog.io/docker/app');
    expect(await app.resolve(parseReference('company.jfrog.io/docker/app:1'), { cheap: true })).toEqual(
      described,
    );
  });
});
