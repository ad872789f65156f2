// The media types of image documents and layers, and the questions asked about them (image-spec media-types.md,
// distribution's manifest-v2-2). Types are compared exactly: parameters belong to headers, see `mediaTypeOf`.

export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';
export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
export const OCI_LAYER_GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const OCI_LAYER_ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
export const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
export const DOCKER_CONFIG = 'application/vnd.docker.container.image.v1+json';
export const DOCKER_LAYER = 'application/vnd.docker.image.rootfs.diff.tar';
export const DOCKER_LAYER_GZIP = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
export const DOCKER_SCHEMA1 = 'application/vnd.docker.distribution.manifest.v1+json';
export const DOCKER_SCHEMA1_SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

/** The `Accept` header of a manifest request: all we read, best first. Schema 1 is not asked for. */
export const MANIFEST_ACCEPT = [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST].join(', ');

/** How a layer's tar is packed. */
export type Compression = 'none' | 'gzip' | 'zstd';

// The Docker zstd type is in no specification, but in registries all the same (c/image#2906).
const LAYERS: ReadonlyMap<string, { compression: Compression; foreign: boolean }> = new Map(
  (
    [
      [OCI_LAYER, 'none', false],
      [OCI_LAYER_GZIP, 'gzip', false],
      [OCI_LAYER_ZSTD, 'zstd', false],
      [DOCKER_LAYER, 'none', false],
      [DOCKER_LAYER_GZIP, 'gzip', false],
      ['application/vnd.docker.image.rootfs.diff.tar.zstd', 'zstd', false],
      ['application/vnd.oci.image.layer.nondistributable.v1.tar', 'none', true],
      ['application/vnd.oci.image.layer.nondistributable.v1.tar+gzip', 'gzip', true],
      ['application/vnd.oci.image.layer.nondistributable.v1.tar+zstd', 'zstd', true],
      ['application/vnd.docker.image.rootfs.foreign.diff.tar', 'none', true],
      ['application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', 'gzip', true],
    ] as const
  ).map(([type, compression, foreign]) => [type, { compression, foreign }]),
);

// RFC 6838, 4.2
const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

/** True for `type/subtype`, without parameters. */
export function isMediaType(text: string): boolean {
  return MEDIA_TYPE.test(text);
}

/** An index or manifest list: a document that names manifests. */
export function isIndexType(mediaType: string): boolean {
  return mediaType === OCI_INDEX || mediaType === DOCKER_LIST;
}

/** An image manifest: a document that names a config and layers. */
export function isManifestType(mediaType: string): boolean {
  return mediaType === OCI_MANIFEST || mediaType === DOCKER_MANIFEST;
}

/** Docker's first manifest format, which we name but do not read. */
export function isSchema1Type(mediaType: string): boolean {
  return mediaType === DOCKER_SCHEMA1 || mediaType === DOCKER_SCHEMA1_SIGNED;
}

/** The config of an image that can run, as opposed to an artifact's. */
export function isImageConfigType(mediaType: string): boolean {
  return mediaType === OCI_CONFIG || mediaType === DOCKER_CONFIG;
}

/** A layer of a root file system, foreign ones included. */
export function isLayerType(mediaType: string): boolean {
  return LAYERS.has(mediaType);
}

/** A layer that registries need not hold and that is fetched from its `urls`, never with credentials (CVE-2020-15157). */
export function isForeignLayerType(mediaType: string): boolean {
  return LAYERS.get(mediaType)?.foreign ?? false;
}

/** What a layer's type says about its compression (the bytes decide: types lie); undefined when it is no layer's. */
export function layerCompression(mediaType: string): Compression | undefined {
  return LAYERS.get(mediaType)?.compression;
}

/** The type in a `Content-Type` header, without parameters, in lower case; empty when there is none (RFC 9110, 8.3). */
export function mediaTypeOf(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase();
}
