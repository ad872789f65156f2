// What the store holds, image by image, for `images`. Loads no schema library.

import type { Descriptor, Platform } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import { blobNames } from './blob-files.ts';
import { walkStored } from './documents.ts';
import { nameOfKey } from './index-file.ts';
import { openKnownDocuments } from './known-documents.ts';
import { type StorePaths, storePaths } from './paths.ts';
import { listRefs } from './refs.ts';

/** One name of the store and what it costs. Sizes are bytes of the blobs as stored (compressed). */
export interface StoredImage {
  /** As tagged; undefined for an image without a name. */
  name: string | undefined;
  descriptor: Descriptor;
  /** RFC 3339, of the first platform present. */
  created: string | undefined;
  /** Every blob of the image that is present, once. */
  size: number;
  /** The part of `size` that no image of another digest shares. */
  uniqueSize: number;
  /** The platforms whose manifest is present. */
  platforms: Platform[];
  /** Every blob of the image that is present: documents, configs, layers. */
  blobs: Digest[];
}

type ImageFacts = Omit<StoredImage, 'name' | 'descriptor'>;

/** Every name in the store, sorted. 10,000 images of 8 blobs take 0.5 s (0.9 s with a cold cache). */
export async function listImages(store: { readonly dir: string }): Promise<StoredImage[]> {
  const paths = storePaths(store.dir);
  const refs = listRefs(paths);
  const facts = readFacts(paths, new Map(refs.map(({ descriptor }) => [descriptor.digest, descriptor])));
  return refs.map(({ key, descriptor }) => ({
    name: nameOfKey(key),
    descriptor,
    ...facts.get(descriptor.digest)!,
  }));
}

function readFacts(paths: StorePaths, roots: Map<Digest, Descriptor>): Map<Digest, ImageFacts> {
  // One listing instead of a stat per blob: 80,000 stats would take longer than all the rest.
  const present = blobNames(paths);
  const documents = openKnownDocuments(paths, roots.size);
  const facts = new Map<Digest, ImageFacts>();
  const owners = new Map<Digest, number>();
  const blobs = new Map<Digest, Descriptor[]>();
  for (const [digest, root] of roots) {
    const own: Descriptor[] = [];
    const image: ImageFacts = { created: undefined, size: 0, uniqueSize: 0, platforms: [], blobs: [] };
    walkStored(paths, root, {
      read: documents.read,
      isPresent: (descriptor) => present.has(descriptor.digest),
      present(descriptor) {
        own.push(descriptor);
        image.blobs.push(descriptor.digest);
        image.size += descriptor.size;
        owners.set(descriptor.digest, (owners.get(descriptor.digest) ?? 0) + 1);
      },
      manifest(descriptor, { facts }) {
        image.created ??= facts?.created;
        const platform = descriptor.platform ?? facts?.platform;
        // Attestations hang in the index as platform unknown/unknown (buildkit).
        if (platform !== undefined && platform.os !== 'unknown') image.platforms.push(platform);
      },
    });
    blobs.set(digest, own);
    facts.set(digest, image);
  }
  documents.close();
  for (const [digest, own] of blobs) {
    const image = facts.get(digest)!;
    for (const blob of own) if (owners.get(blob.digest) === 1) image.uniqueSize += blob.size;
  }
  return facts;
}
