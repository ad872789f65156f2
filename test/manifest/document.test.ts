import { expect, test } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { checkLayersAgainstDiffIds, parseConfig } from '../../src/manifest/config.ts';
import { MANIFEST_LIMIT, parseDocument } from '../../src/manifest/document.ts';
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { digestOf } from '../../src/reference/digest.ts';

const descriptor = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: digestOf('x'),
  size: 1,
};
const manifest = { schemaVersion: 2, config: descriptor, layers: [descriptor] };
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

test('the bytes are kept as they came: a digest is never of re-serialised JSON', () => {
  const raw = Buffer.from('{ "schemaVersion" : 2,\n "manifests": [ ] , "x":"\\/" }');
  expect(parseDocument(raw).raw.equals(raw)).toBe(true);
});

test('without a media type the content decides (rc#436)', () => {
  expect(parseDocument(bytes(manifest))).toMatchObject({ kind: 'manifest', mediaType: OCI_MANIFEST });
  expect(parseDocument(bytes({ schemaVersion: 2, mediaType: null, manifests: [] }))).toMatchObject({
    kind: 'index',
    mediaType: OCI_INDEX,
  });
  expect(
    parseDocument(bytes({ schemaVersion: 2, manifests: [] }), { contentType: DOCKER_LIST }),
  ).toMatchObject({ mediaType: DOCKER_LIST });
});

test('a document that is both is refused (CVE-2021-41190)', () => {
  expect(() => parseDocument(bytes({ ...manifest, manifests: [] }))).toThrow(/both an index and a manifest/);
  expect(() => parseDocument(bytes({ ...manifest, mediaType: OCI_INDEX }))).toThrow(
    /has the fields of a manifest/,
  );
});

test('the document wins over the server, with a warning', () => {
  const document = parseDocument(bytes({ ...manifest, mediaType: OCI_MANIFEST }), { contentType: OCI_INDEX });
  expect(document).toMatchObject({ kind: 'manifest', mediaType: OCI_MANIFEST });
  expect(document.warning).toMatch(/announced as/);
});

test('an error names the place', () => {
  const bad = { ...manifest, layers: [descriptor, { ...descriptor, digest: 'sha256:../../etc/passwd' }] };
  expect(() => parseDocument(bytes(bad))).toThrow(/layers\[1\]\.digest/);
  expect(() => parseDocument(bytes({ ...manifest, config: { ...descriptor, size: -1 } }))).toThrow(
    /config\.size/,
  );
});

test('schema 1 is named', () => {
  try {
    parseDocument(bytes({ schemaVersion: 1, name: 'library/x', fsLayers: [] }));
    expect.fail('was read');
  } catch (error) {
    expect(isOciError(error, 'UNSUPPORTED')).toBe(true);
  }
});

test('a manifest above the limit is not parsed', () => {
  expect(() => parseDocument(Buffer.alloc(MANIFEST_LIMIT + 1, ' '))).toThrow(/the limit is/);
});

test('a config with the nulls that docker writes', () => {
  const config = parseConfig(
    bytes({
      os: 'linux',
      architecture: 'amd64',
      config: { Env: null, Cmd: ['sh'] },
      history: null,
      rootfs: { type: 'layers', diff_ids: [descriptor.digest] },
    }),
  );
  expect(config.config).toEqual({ Cmd: ['sh'] });
  expect(() => checkLayersAgainstDiffIds({ ...manifest, schemaVersion: 2, layers: [] }, config)).toThrow(
    /1 diff IDs for the 0 layers/,
  );
});
