// What the store holds, image by image, for `images`. Loads no schema library.

import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import { blobNames, isIntact } from './blob-files.ts';
import { walkStored } from './documents.ts';
import { nameOfKey } from './index-file.ts';
import { type KnownDocument, openKnownDocuments, WORTH_KEEPING } from './known-documents.ts';
import { type ImageFacts, openLastListing } from './last-listing.ts';
import { type StorePaths, storePaths } from './paths.ts';
import { listRefs } from './refs.ts';

/** One name of the store and what it costs. */
export interface StoredImage extends ImageFacts {
  /** As tagged; undefined for an image without a name. */
  name: string | undefined;
  descriptor: Descriptor;
}

type Roots = Map<Digest, Descriptor>;

/** Every name in the store, sorted. */
export async function listImages(store: { readonly dir: string }): Promise<StoredImage[]> {
  const paths = storePaths(store.dir);
  const refs = listRefs(paths);
  const facts = factsOf(paths, new Map(refs.map(({ descriptor }) => [descriptor.digest, descriptor])));
  return refs.map(({ key, descriptor }) => ({
    name: nameOfKey(key),
    descriptor,
    ...facts.get(descriptor.digest)!,
  }));
}

function factsOf(paths: StorePaths, roots: Roots): Map<Digest, ImageFacts> {
  if (roots.size < WORTH_KEEPING) return readFacts(paths, roots).facts;
  const last = openLastListing(paths, [...roots.values()]);
  if (last.facts !== undefined)
    return new Map([...roots.keys()].map((digest, i) => [digest, last.facts![i]!]));
  const { facts, isFinal } = readFacts(paths, roots);
  if (isFinal) last.save([...facts.values()]);
  return facts;
}

/** `isFinal`: false when a file is damaged that would say more once it is mended in its place. */
function readFacts(paths: StorePaths, roots: Roots): { facts: Map<Digest, ImageFacts>; isFinal: boolean } {
  // One listing instead of a stat per blob: 80,000 stats would take longer than all the rest.
  const present = blobNames(paths);
  const documents = openKnownDocuments(paths, roots.size);
  const facts = new Map<Digest, ImageFacts>();
  /** Of each blob that one image alone has so far, that image and the size it gives; undefined when there are more. */
  const owners = new Map<Digest, { image: ImageFacts; size: number } | undefined>();
  let isFinal = true;

  function read(descriptor: Descriptor): KnownDocument | undefined {
    const document = documents.read(descriptor);
    const silent = silentPart(descriptor, document);
    if (silent !== undefined && present.has(silent) && !isIntact(paths, silent)) isFinal = false;
    return document;
  }

  for (const [digest, root] of roots) {
    const image: ImageFacts = { created: undefined, size: 0, uniqueSize: 0, platforms: [] };
    facts.set(digest, image);
    walkStored(paths, root, {
      read,
      isPresent: (descriptor) => present.has(descriptor.digest),
      present({ digest, size }) {
        image.size += size;
        const owner = owners.get(digest);
        if (owner !== undefined) {
          owner.image.uniqueSize -= owner.size;
          owners.set(digest, undefined);
        } else if (!owners.has(digest)) {
          owners.set(digest, { image, size });
          image.uniqueSize += size;
        }
      },
      manifest(descriptor, { config, facts: known }) {
        // Kept by the manifest's digest, and so known after the config has gone: a listing of this store says no more
        // than its files do.
        const facts = present.has(config.digest) ? known : undefined;
        image.created ??= facts?.created;
        const platform = descriptor.platform ?? facts?.platform;
        // Attestations hang in the index as platform unknown/unknown (buildkit).
        if (platform !== undefined && platform.os !== 'unknown') image.platforms.push(platform);
      },
    });
  }
  documents.close();
  return { facts, isFinal };
}

/** The blob that should have said something and did not. */
function silentPart({ digest }: Descriptor, document: KnownDocument | undefined): Digest | undefined {
  if (document === undefined) return digest;
  return document.kind === 'manifest' && document.facts === undefined ? document.config.digest : undefined;
}
