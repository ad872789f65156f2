// Images that have all layers but the top one in common, as teams build them on one base.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { tarOf, text } from '../../scripts/stand-in/tree.ts';
import { buildStandIn } from '../../scripts/stand-in.ts';

interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export interface Manifest {
  config: Descriptor;
  layers: Descriptor[];
}

interface Config {
  rootfs: { diff_ids: string[] };
  history: object[];
}

// OCI's types: skopeo 1.9 finds no name that stands for one of Docker's in a layout.
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Writes an OCI layout with the tags v1 to v`count` and gives their manifests' digests, in that order. */
export function writeImagesSharingLayers(dir: string, count: number): string[] {
  const list = readBlob<{ manifests: Descriptor[] }>(dir, buildStandIn(dir, { small: true }));
  const base = readBlob<Manifest>(dir, list.manifests[0]?.digest ?? '');
  const config = readBlob<Config>(dir, base.config.digest);
  const manifests = Array.from({ length: count }, (_, i) => {
    const entries = [text('etc/image', `image ${i + 1}\n`)];
    const tar = tarOf({ entries, bytes: 0, letters: 9, mtime: 1_552_000_000 }, 1);
    const layer = writeBlob(dir, LAYER, gzipSync(tar));
    const own = {
      ...config,
      rootfs: { type: 'layers', diff_ids: [...config.rootfs.diff_ids, digestOf(tar)] },
      history: [...config.history, { created_by: `COPY image ${i + 1}` }],
    };
    const document = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: writeBlob(dir, CONFIG, Buffer.from(JSON.stringify(own))),
      layers: [...base.layers.map((shared) => ({ ...shared, mediaType: LAYER })), layer],
    };
    const manifest = writeBlob(dir, MANIFEST, Buffer.from(JSON.stringify(document)));
    return { ...manifest, annotations: { 'org.opencontainers.image.ref.name': `v${i + 1}` } };
  });
  writeFileSync(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  return manifests.map(({ digest }) => digest);
}

/** A JSON document among the layout's blobs. */
export function readBlob<T>(dir: string, digest: string): T {
  return JSON.parse(readFileSync(blobFile(dir, digest), 'utf8')) as T;
}

function writeBlob(dir: string, mediaType: string, bytes: Buffer): Descriptor {
  const digest = digestOf(bytes);
  writeFileSync(blobFile(dir, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

function blobFile(dir: string, digest: string): string {
  return join(dir, 'blobs', digest.replace(':', '/'));
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
