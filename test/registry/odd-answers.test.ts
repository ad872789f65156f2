// Answers that are not what the specification says, whoever gives them.

import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/reference/reference.ts';
import {
  anonymous,
  collect,
  described,
  good,
  MANIFEST_TYPE,
  manifest,
  setUpDialogues,
  sha256,
} from '../support/dialogue.ts';

const dialogue = setUpDialogues();

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
    const descriptor = await dialogue.repository(name).resolve(parseReference(`${name}:1`), { cheap: true });
    expect(descriptor).toEqual(described);
  });

  it('Nexus lists no tags as null', async () => {
    anonymous(host).get('/v2/app/tags/list').reply(200, { name: 'app', tags: null });
    expect(await collect(dialogue.repository(name).tags())).toEqual([]);
  });

  it('a digest header that lies is found out', async () => {
    anonymous(host)
      .get('/v2/app/manifests/1')
      .reply(200, manifest, { ...good, 'docker-content-digest': sha256('other') });
    await expect(dialogue.repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  it.each([
    'sha256:../../../../etc/passwd',
    `sha256:${'a'.repeat(63)}/`,
    `sha256:${'A'.repeat(64)}`,
    `sha256:${'a'.repeat(64)}/../x`,
  ])('a digest header that is no digest counts as none: %s (CVE-2024-3727)', async (digest) => {
    const headers = { ...good, 'docker-content-digest': digest, 'content-length': String(manifest.length) };
    anonymous(host).head('/v2/app/manifests/1').reply(200, '', headers);
    anonymous(host).get('/v2/app/manifests/1').reply(200, manifest, headers);
    const descriptor = await dialogue.repository(name).resolve(parseReference(`${name}:1`), { cheap: true });
    expect(descriptor).toEqual(described);
  });

  it('content that is not the digest asked for is refused', async () => {
    const digest = sha256('wanted');
    anonymous(host)
      .get(`/v2/app/manifests/${digest}`)
      .reply(200, manifest, { 'content-type': MANIFEST_TYPE });
    await expect(
      dialogue.repository(name).resolve(parseReference(`${name}@${digest}`)),
    ).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
  });

  it('a HEAD that names another digest than the one asked for is refused', async () => {
    const digest = sha256('wanted');
    anonymous(host)
      .head(`/v2/app/manifests/${digest}`)
      .reply(200, '', { ...good, 'content-length': String(manifest.length) });
    const resolving = dialogue.repository(name).resolve(parseReference(`${name}@${digest}`), { cheap: true });
    await expect(resolving).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  it('a manifest without an end is not read to it', async () => {
    anonymous(host)
      .get('/v2/app/manifests/1')
      .reply(200, Buffer.alloc(5 << 20, ' '), good);
    await expect(dialogue.repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'MANIFEST_TOO_LARGE',
    });
  });

  it('a repository that does not exist is said to', async () => {
    const body = { errors: [{ code: 'NAME_UNKNOWN', message: 'repository name not known to registry' }] };
    anonymous(host).get('/v2/app/manifests/1').reply(404, body);
    await expect(dialogue.repository(name).resolve(parseReference(`${name}:1`))).rejects.toMatchObject({
      code: 'IMAGE_NOT_FOUND',
      message: `${name}:1: no such repository`,
    });
  });
});
