// podman refuses a layer that holds a path twice, which other tools take and the reference image has. For podman such a
// member is renamed: the same number of entries and bytes to download and write.
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { withChecksum } from '../../test/support/tar-builder.ts';
import { manifestOf } from './ground.ts';
import { describe, writeBlob, writeIndex } from './synthetic-image.ts';

/** Writes a copy of `layout` to `target`; the names that were changed. */
export function writePodmanImage(layout: string, target: string): string[] {
  cpSync(layout, target, { recursive: true });
  const path = ({ digest }: Descriptor) => join(layout, 'blobs', digest.replace(':', '/'));
  const manifest = manifestOf(layout);
  const config = JSON.parse(readFileSync(path(manifest.config), 'utf8')) as {
    rootfs: { diff_ids: string[] };
  };
  const renamed: string[] = [];
  const layers = manifest.layers.map((layer, i) => {
    const tar = gunzipSync(readFileSync(path(layer)));
    const changed = renameDuplicates(tar);
    if (changed.length === 0) return layer;
    renamed.push(...changed);
    config.rootfs.diff_ids[i] = digestOf(tar);
    return writeBlob(target, layer.mediaType, gzipSync(tar));
  });
  const changed = { ...manifest, config: describe(target, manifest.config.mediaType, config), layers };
  writeIndex(target, changed);
  return renamed;
}

/** In place. Names in PAX records are left alone. */
function renameDuplicates(tar: Buffer): string[] {
  const seen = new Set<string>();
  const renamed: string[] = [];
  let named = false;
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const header = tar.subarray(at, at + 512);
    const text = (from: number, length: number) =>
      header.toString('latin1', from, from + length).split('\0')[0] ?? '';
    const type = text(156, 1);
    const name = text(0, 100);
    const full = `${text(345, 155)}/${name}`;
    const meta = type === 'x' || type === 'L' || type === 'K' || type === 'g';
    if (!meta && !named && seen.has(full) && name.length < 98) {
      header.write(`${name}~`, 0, 'latin1');
      withChecksum(header);
      renamed.push(name);
    }
    if (!meta && !named) seen.add(full);
    named = meta && type !== 'g';
    at += 512 + Math.ceil(Number.parseInt(text(124, 12), 8) / 512) * 512;
  }
  return renamed;
}
