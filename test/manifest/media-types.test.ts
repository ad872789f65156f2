import { expect, test } from 'vitest';
import {
  DOCKER_LAYER_GZIP,
  DOCKER_LIST,
  isForeignLayerType,
  isImageConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  isSchema1Type,
  layerCompression,
  MANIFEST_ACCEPT,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_LAYER_ZSTD,
  OCI_MANIFEST,
} from '../../src/manifest/media-types.ts';

test('documents', () => {
  expect([isIndexType(DOCKER_LIST), isIndexType(OCI_MANIFEST)]).toEqual([true, false]);
  expect([isManifestType(OCI_MANIFEST), isManifestType(DOCKER_LIST)]).toEqual([true, false]);
  expect(isImageConfigType(OCI_CONFIG)).toBe(true);
  expect(isSchema1Type('application/vnd.docker.distribution.manifest.v1+prettyjws')).toBe(true);
  expect(MANIFEST_ACCEPT.split(', ').every((type) => isIndexType(type) || isManifestType(type))).toBe(true);
});

test.each([
  [OCI_LAYER, 'none', false],
  [DOCKER_LAYER_GZIP, 'gzip', false],
  [OCI_LAYER_ZSTD, 'zstd', false],
  ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd', false],
  ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip', true],
  ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd', true],
])('layer %s', (type, compression, foreign) => {
  expect([isLayerType(type), layerCompression(type), isForeignLayerType(type)]).toEqual([
    true,
    compression,
    foreign,
  ]);
});

test('what is no layer', () => {
  const type = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip';
  expect([isLayerType(type), layerCompression(type), isForeignLayerType(type)]).toEqual([
    false,
    undefined,
    false,
  ]);
});
