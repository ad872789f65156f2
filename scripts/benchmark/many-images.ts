// A store of very many images, at the price of writing it: each of eight blobs, as a team builds them on a common base.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OCI_CONFIG, OCI_LAYER_GZIP, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import { describe, writeBlob } from './synthetic-image.ts';

const LAYERS = 6;
/** The lowest layers, which a hundred images have in common. */
const SHARED = 2;
const SHARING = 100;

/** Writes the OCI layout as another tool would, names in index.json and no more; answers how many blobs it has. */
export function writeManyImages(layout: string, count: number): number {
  mkdirSync(join(layout, 'blobs/sha256'), { recursive: true });
  const blobs = new Set<string>();
  const keep = <T extends { digest: string }>(descriptor: T): T => {
    blobs.add(descriptor.digest);
    return descriptor;
  };
  const manifests = Array.from({ length: count }, (_, image) => {
    const layers = Array.from({ length: LAYERS }, (_, layer) => {
      const content = layer < SHARED ? `base ${Math.floor(image / SHARING)}` : `image ${image}`;
      return keep(writeBlob(layout, OCI_LAYER_GZIP, Buffer.from(`${content}, layer ${layer}`)));
    });
    const config = describe(layout, OCI_CONFIG, {
      created: '2026-01-01T00:00:00Z',
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    });
    const manifest = describe(layout, OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: keep(config),
      layers,
    });
    const name = `registry.example/team${image % 50}/app${image}:1`;
    return { ...keep(manifest), annotations: { 'org.opencontainers.image.ref.name': name } };
  });
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  return blobs.size;
}
