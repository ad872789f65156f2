// Layer tars on disk as what the engine takes.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../../src/reference/digest.ts';
import type { LayerSource } from '../../src/rootfs/layer-source.ts';
import { buildTar, type Member } from './tar-builder.ts';

/** Writes each layer (members, or the bytes of a blob) into `folder`. */
export function writeLayers(
  folder: string,
  layers: ReadonlyArray<readonly Member[] | Buffer>,
): LayerSource[] {
  return layers.map((layer, index) => {
    const bytes = Buffer.isBuffer(layer) ? layer : buildTar(layer);
    const path = join(folder, `layer-${index}`);
    writeFileSync(path, bytes);
    return layerAt(path, bytes);
  });
}

/** The layer that the file at `path`, holding `bytes`, is. */
export function layerAt(path: string, bytes: Buffer): LayerSource {
  return {
    descriptor: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
      digest: digestOf(bytes),
      size: bytes.length,
    },
    location: { path, offset: 0, size: bytes.length },
  };
}
