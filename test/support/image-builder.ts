// Builds small images in memory: descriptors, documents and layers that fit together, as a place to read them from.
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { OciError } from '../../src/errors.ts';
import type { Descriptor, Platform } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { FetchOptions, ImageSource } from '../../src/place/place.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import { formatReference, type Reference } from '../../src/reference/reference.ts';

/** A place in memory that counts what it is asked for. */
export interface MemoryPlace extends ImageSource {
  blobs: Map<Digest, Buffer>;
  names: Map<string, Descriptor>;
  /** Digests in the order they were fetched. */
  fetched: Digest[];
  /** Called before a fetch is answered; may wait, or throw. */
  onFetch: (descriptor: Descriptor, offset: number) => Promise<void> | void;
}

export function memoryPlace(): MemoryPlace {
  const place: MemoryPlace = {
    blobs: new Map(),
    names: new Map(),
    fetched: [],
    onFetch: () => {},
    async resolve(name) {
      const found = place.names.get(formatReference(name));
      if (found === undefined)
        throw new OciError('IMAGE_NOT_FOUND', `${formatReference(name)}: no such image`);
      return found;
    },
    async fetch(descriptor, { offset = 0, signal }: FetchOptions = {}) {
      place.fetched.push(descriptor.digest);
      await place.onFetch(descriptor, offset);
      const blob = place.blobs.get(descriptor.digest);
      if (blob === undefined) throw new OciError('BLOB_NOT_FOUND', `${descriptor.digest}: no such blob`);
      const stream = Readable.from(chunksOf(blob.subarray(offset)));
      signal?.addEventListener('abort', () => stream.destroy(), { once: true });
      return stream;
    },
  };
  return place;
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

export function addBlob(
  place: MemoryPlace,
  mediaType: string,
  content: Uint8Array | string | object,
): Descriptor {
  const bytes = Buffer.isBuffer(content)
    ? content
    : content instanceof Uint8Array || typeof content === 'string'
      ? Buffer.from(content)
      : Buffer.from(JSON.stringify(content));
  const digest = digestOf(bytes);
  place.blobs.set(digest, bytes);
  return { mediaType, digest, size: bytes.length };
}

/** A single-platform image of the given layers; random ones unless given. */
export function addImage(
  place: MemoryPlace,
  options: { layers?: Uint8Array[]; platform?: Platform } = {},
): Descriptor {
  const { os, architecture, ...rest } = options.platform ?? { os: 'linux', architecture: 'amd64' };
  const contents = options.layers ?? [randomBytes(5000), randomBytes(300)];
  const layers = contents.map((content) => addBlob(place, OCI_LAYER, content));
  const config = addBlob(place, OCI_CONFIG, {
    os,
    architecture,
    ...rest,
    config: {},
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    history: layers.map((_, i) => ({ created_by: `COPY layer${i} /` })),
  });
  return addBlob(place, OCI_MANIFEST, { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers });
}

export function addIndex(place: MemoryPlace, manifests: Descriptor[]): Descriptor {
  return addBlob(place, OCI_INDEX, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
}

export function nameImage(place: MemoryPlace, name: Reference, descriptor: Descriptor): void {
  place.names.set(formatReference(name), descriptor);
}
