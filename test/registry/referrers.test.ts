// Listing referrers: the API of distribution-spec 1.1, its pages and filters, and the fallback tag.
import nock from 'nock';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/reference/digest.ts';
import { described, layerDescriptor, setUpDialogues } from '../support/dialogue.ts';

const host = 'https://registry.example.com';
const index = 'application/vnd.oci.image.index.v1+json';
const subject = described.digest;
const api = `/v2/team/app/referrers/${subject}`;
const tag = `/v2/team/app/manifests/${subject.replace(':', '-')}`;
const sbom = { ...layerDescriptor, mediaType: described.mediaType, artifactType: 'application/spdx+json' };
const signature = { ...sbom, digest: digestOf('signature'), artifactType: 'application/vnd.example.sig' };
const list = (...manifests: object[]) => JSON.stringify({ schemaVersion: 2, mediaType: index, manifests });
const ok = { 'content-type': index };

const dialogue = setUpDialogues();
const repository = () => dialogue.repository('registry.example.com/team/app');

describe('with the API', () => {
  it('reads page after page, of the same registry whatever the link says', async () => {
    nock(host)
      .get(api)
      .reply(200, list(sbom), { ...ok, link: `<http://inner:5000${api}?last=x>; rel="next"` });
    nock(host).get(`${api}?last=x`).reply(200, list(signature), ok);
    expect(await repository().referrers(subject)).toEqual([sbom, signature]);
  });
  it('asks for a type, and sorts out itself what a registry that ignores it sends along', async () => {
    const artifactType = signature.artifactType;
    nock(host).get(api).query({ artifactType }).reply(200, list(sbom, signature), ok);
    expect(await repository().referrers(subject, { artifactType })).toEqual([signature]);
  });
  it('believes a registry that says it filtered', async () => {
    const artifactType = signature.artifactType;
    const bare = { ...layerDescriptor, mediaType: described.mediaType };
    nock(host)
      .get(api)
      .query({ artifactType })
      .reply(200, list(bare), { ...ok, 'oci-filters-applied': 'artifactType' });
    expect(await repository().referrers(subject, { artifactType })).toEqual([bare]);
  });
  it('gives up on pages that lead in a circle', async () => {
    nock(host)
      .get(api)
      .reply(200, list(sbom), { ...ok, link: `<${api}?n=1>; rel="next"` });
    nock(host)
      .get(`${api}?n=1`)
      .reply(200, list(sbom), { ...ok, link: `<${api}?n=1>; rel="next"` });
    await expect(repository().referrers(subject)).rejects.toMatchObject({
      code: 'REGISTRY_ERROR',
      message: expect.stringContaining('no end') as unknown,
    });
  });
  it.each([
    [401, 'UNAUTHORIZED'],
    [429, 'RATE_LIMITED'],
    [500, 'REGISTRY_ERROR'],
  ])('is not taken to be missing when it answers %i', async (status, code) => {
    nock(host).get(api).reply(status);
    await expect(repository().referrers(subject)).rejects.toMatchObject({ code });
  });
});

describe('without', () => {
  it.each([
    ['404', 404, {}],
    ['405', 405, {}],
    ['403, which is Artifactory’s 404', 403, {}],
    ['a web page (ghcr.io)', 200, { 'content-type': 'text/html' }],
  ])('%s: reads the fallback tag, and asks for the API once only', async (_, status, headers) => {
    nock(host).get(api).reply(status, '', headers);
    nock(host).get(tag).times(2).reply(200, list(sbom, signature), ok);
    const one = repository();
    expect(await one.referrers(subject)).toEqual([sbom, signature]);
    expect(await one.referrers(subject, { artifactType: sbom.artifactType })).toEqual([sbom]);
  });
  it('nor a fallback tag: there are none', async () => {
    nock(host).get(api).reply(404);
    nock(host).get(tag).reply(404);
    expect(await repository().referrers(subject)).toEqual([]);
  });
  it('a fallback tag that is no index is a broken answer, not an empty one', async () => {
    nock(host).get(api).reply(404);
    nock(host).get(tag).reply(200, '{"schemaVersion":2,"manifests":[{"digest":"../x"}]}', ok);
    await expect(repository().referrers(subject)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
  });
});
