import { expect, test } from 'vitest';
import { isOciError, OciError } from '../../src/errors.ts';
import { checkLayersAgainstDiffIds, parseConfig } from '../../src/manifest/config.ts';
import { parseDocument } from '../../src/manifest/document.ts';
import { MANIFEST_LIMIT } from '../../src/manifest/limits.ts';
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

test.each([
  { ...manifest, Layers: [] },
  { ...manifest, Manifests: [] },
  { schemaVersion: 2, config: descriptor, LAYERS: [descriptor] },
  { schemaVersion: 2, manifests: [], manifeſts: [descriptor] },
  { ...manifest, MediaType: OCI_INDEX },
])('a member that is another one for readers who ignore case is refused: %j', (json) => {
  expect(() => parseDocument(bytes(json))).toThrow(
    expect.objectContaining({ code: 'MANIFEST_INVALID', message: expect.stringMatching(/to some readers/) }),
  );
});

test('the document wins over the server, with a warning', () => {
  const document = parseDocument(bytes({ ...manifest, mediaType: OCI_MANIFEST }), { contentType: OCI_INDEX });
  expect(document).toMatchObject({ kind: 'manifest', mediaType: OCI_MANIFEST });
  expect(document.warning).toMatch(/announced as/);
});

test.each<[unknown, RegExp]>([
  [{ ...manifest, fsLayers: [] }, /schema 1 and schema 2/],
  [{ schemaVersion: 2 }, /neither an index nor a manifest/],
  [{ errors: [{ code: 'DENIED' }] }, /neither an index nor a manifest/],
  [[], /not an object/],
  [{ ...manifest, schemaVersion: 3 }, /schemaVersion is not 2: 3/],
  [{ ...manifest, config: undefined }, /config is missing/],
  [{ ...manifest, layers: {} }, /layers is not an array/],
  [{ ...manifest, layers: [null] }, /layers\[0\] is missing/],
  [{ ...manifest, layers: [{ ...descriptor, size: undefined }] }, /layers\[0\]\.size is missing/],
  [{ ...manifest, layers: [{ ...descriptor, size: 1.5 }] }, /layers\[0\]\.size is not an int: 1\.5/],
  [{ ...manifest, layers: [{ ...descriptor, size: 2 ** 60 }] }, /layers\[0\]\.size/],
  [{ ...manifest, layers: [{ ...descriptor, size: -1 }] }, /layers\[0\]\.size is negative: -1/],
  [{ ...manifest, layers: [{ ...descriptor, data: 'x' }] }, /layers\[0\]\.data is not base64/],
  [{ ...manifest, subject: 'nope' }, /subject is not an object: "nope"/],
  [
    { schemaVersion: 2, manifests: [{ ...descriptor, platform: { os: 'linux' } }] },
    /platform\.architecture is missing/,
  ],
])('refused: %j', (document, problem) => {
  expect(() => parseDocument(bytes(document))).toThrow(
    expect.objectContaining({ code: 'MANIFEST_INVALID', message: expect.stringMatching(problem) }),
  );
});

test('an image of another tool that wrote null for what is not there', () => {
  const document = parseDocument(
    bytes({
      ...manifest,
      layers: null,
      annotations: null,
      config: { ...descriptor, urls: null, platform: null },
    }),
  );
  expect(document).toMatchObject({ manifest: { layers: [], config: descriptor } });
});

test('what has no type of an image is unsupported, and named', () => {
  const mediaType = 'application/vnd.oci.artifact.manifest.v1+json';
  expect(() => parseDocument(bytes({ mediaType, blobs: [] }))).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringContaining(mediaType) }),
  );
});

test('a byte order mark, an empty answer and a web page are told apart', () => {
  expect(() => parseDocument(Buffer.from(`\uFEFF${JSON.stringify(manifest)}`))).toThrow(/byte order mark/);
  expect(() => parseDocument(Buffer.alloc(0))).toThrow(/empty/);
  expect(() => parseDocument(Buffer.from('<!DOCTYPE html><html>'))).toThrow(/web page/);
  expect(() => parseDocument(Buffer.from('{'))).toThrow(/not JSON/);
});

test('of a key written twice the last one counts, as in Go', () => {
  const twice = `{"mediaType":"${OCI_INDEX}",${JSON.stringify({ ...manifest, mediaType: OCI_MANIFEST }).slice(1)}`;
  expect(parseDocument(Buffer.from(twice))).toMatchObject({ kind: 'manifest', mediaType: OCI_MANIFEST });
});

test('a document nested as deep as the limit allows is an error, not a crash', () => {
  const deep = `{"schemaVersion":2,"manifests":${'['.repeat(1e6)}${']'.repeat(1e6)}}`;
  expect(() => parseDocument(Buffer.from(deep))).toThrow(OciError);
});

test('annotations called __proto__ stay annotations', () => {
  const document = parseDocument(
    Buffer.from(JSON.stringify(manifest).replace('{', '{"annotations":{"__proto__":"x"},')),
  );
  expect(document.kind).toBe('manifest');
  expect(({} as Record<string, unknown>).x).toBeUndefined();
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

test('what a config cannot do without, and what it may write in an old way', () => {
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: null } };
  expect(parseConfig(bytes({ ...config, config: { Cmd: 'sh', Volumes: { '/data': null } } }))).toMatchObject({
    config: { Cmd: ['sh'], Volumes: { '/data': null } },
    rootfs: { diff_ids: [] },
    history: [],
  });
  for (const [broken, problem] of [
    [{}, /architecture is missing/],
    [{ ...config, rootfs: undefined }, /rootfs is missing/],
    [{ ...config, os: 1 }, /os is not a string: 1/],
    [{ ...config, config: { Env: [1] } }, /config\.Env\[0\] is not a string/],
    [{ ...config, config: { Cmd: 1 } }, /config\.Cmd is not a list of strings/],
    [{ ...config, rootfs: { diff_ids: ['sha256:x'] } }, /rootfs\.diff_ids\[0\] is not a digest/],
  ] as const) {
    expect(() => parseConfig(bytes(broken))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(problem) }),
    );
  }
});
