// What goes, and what does not go, to hosts other than the registry.

import { describe, expect, it } from 'vitest';
import { readVerified } from '../../src/place/verify.ts';
import type { Credential } from '../../src/registry/credentials.ts';
import {
  anonymous,
  authorized,
  basic,
  bearer,
  layer,
  layerDescriptor,
  setUpDialogues,
} from '../support/dialogue.ts';

const dialogue = setUpDialogues();

describe('foreign layers', () => {
  const host = 'https://registry.example.com';
  const descriptor = {
    ...layerDescriptor,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: ['https://gone.example.net/layer', 'https://layers.example.net/layer'],
  };

  it('come from the registry when it has them', async () => {
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(200, layer);
    await readVerified(await dialogue.repository('registry.example.com/app').fetch(descriptor), descriptor);
  });

  it('come from their own URLs else, without credentials (CVE-2020-15157)', async () => {
    const challenge = { 'www-authenticate': 'Basic realm="x"' };
    const app = dialogue.repository('registry.example.com/app', {
      type: 'basic',
      username: 'me',
      password: 'secret',
    });
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(401, '', challenge);
    authorized(host, basic('me', 'secret')).get(`/v2/app/blobs/${descriptor.digest}`).reply(404);
    anonymous('https://gone.example.net').get('/layer').reply(410);
    anonymous('https://layers.example.net').get('/layer').reply(200, layer);
    await readVerified(await app.fetch(descriptor), descriptor);
  });

  it('at a cloud’s metadata service are refused', async () => {
    anonymous(host).get(`/v2/app/blobs/${descriptor.digest}`).reply(404);
    const urls = ['http://169.254.169.254/latest/meta-data', 'https://169.254.169.254/latest'];
    const fetching = dialogue.repository('registry.example.com/app').fetch({ ...descriptor, urls });
    await expect(fetching).rejects.toMatchObject({ code: 'DENIED' });
  });
});

describe('redirects', () => {
  const host = 'https://registry.example.com';
  const path = `/v2/app/blobs/${layerDescriptor.digest}`;
  const credential: Credential = { type: 'basic', username: 'me', password: 'secret' };

  it('to another host lose the Authorization for good, even when they come back', async () => {
    const app = dialogue.repository('registry.example.com/app', credential);
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
    const app = dialogue.repository('registry.example.com/app', credential);
    anonymous(host).get(path).reply(401, '', { 'www-authenticate': 'Basic realm="x"' });
    authorized(host, basic('me', 'secret')).get(path).reply(308, '', { location: '/storage/1' });
    authorized(host, basic('me', 'secret')).get('/storage/1').reply(200, layer);
    await readVerified(await app.fetch(layerDescriptor), layerDescriptor);
  });

  it('to a host that challenges by itself get an anonymous token there (ggcr#2359)', async () => {
    const app = dialogue.repository('registry.example.com/app', credential);
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
      await expect(
        dialogue.repository('registry.example.com/app').fetch(layerDescriptor),
      ).rejects.toMatchObject({
        code: 'REGISTRY_ERROR',
        message: expect.stringContaining('refused'),
      });
    },
  );

  it('without end are given up', async () => {
    anonymous(host).get(path).times(11).reply(302, '', { location: path });
    await expect(
      dialogue.repository('registry.example.com/app').fetch(layerDescriptor),
    ).rejects.toMatchObject({
      message: expect.stringContaining('more than 10 redirects'),
    });
  });
});
