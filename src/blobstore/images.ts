// What the store holds, image by image, for `images`. Loads no schema library.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import { isIntact } from './blob-files.ts';
import type { ConfigFacts } from './config-facts.ts';
import { walkStored } from './documents.ts';
import { nameOfKey } from './index-file.ts';
import {
  type KnownDocument,
  type ManifestRow,
  openKnownDocuments,
  WORTH_KEEPING,
} from './known-documents.ts';
import { type ImageFacts, openLastListing } from './last-listing.ts';
import { type StorePaths, storePaths } from './paths.ts';
import { presentBlobs } from './present-blobs.ts';
import { listRefs } from './refs.ts';

/** One name of the store and what it costs. */
export interface StoredImage extends ImageFacts {
  /** As tagged; undefined for an image without a name. */
  name: string | undefined;
  descriptor: Descriptor;
}

type Roots = Map<Digest, Descriptor>;

/** Instead of an owner: no image has the blob, or more than one. */
const NOBODY = 0;
const SHARED = -1;

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
  const present = presentBlobs(paths);
  const documents = openKnownDocuments(paths, roots.size);
  const facts = new Map<Digest, ImageFacts>();
  /** By the blob's number: the image that alone has it so far, counted from 1, or SHARED; and the size that gives. */
  const owners = new Int32Array(present.count);
  const owned = new Float64Array(present.count);
  const images: ImageFacts[] = [];
  let isFinal = true;

  function read(descriptor: Descriptor): KnownDocument | undefined {
    const document = documents.read(descriptor);
    const silent = silentPart(descriptor, document);
    if (silent !== undefined && present.has(silent) && !isIntact(paths, silent)) isFinal = false;
    return document;
  }

  /** Counts a blob for the image that was begun last; false when it is not there. */
  function count(digest: Digest, size: number): boolean {
    const blob = present.numberOf(digest);
    const image = images.at(-1);
    if (blob === -1 || image === undefined) return false;
    image.size += size;
    const owner = owners[blob] as number;
    if (owner === NOBODY) {
      owners[blob] = images.length;
      owned[blob] = size;
      image.uniqueSize += size;
    } else if (owner !== SHARED) {
      (images[owner - 1] as ImageFacts).uniqueSize -= owned[blob] as number;
      owners[blob] = SHARED;
    }
    return true;
  }

  /** Kept by the manifest's digest, and so known after the config has gone: a listing says no more than files do. */
  function describe(
    image: ImageFacts,
    { platform: declared }: Descriptor,
    config: Digest,
    known?: ConfigFacts,
  ): void {
    const told = present.has(config) ? known : undefined;
    image.created ??= told?.created;
    const platform = declared ?? told?.platform;
    // Attestations hang in the index as platform unknown/unknown (buildkit).
    if (platform !== undefined && platform.os !== 'unknown') image.platforms.push(platform);
  }

  /** What `walkStored` would do, in a third of its time. */
  function countRow(image: ImageFacts, root: Descriptor, row: ManifestRow): void {
    if (!count(root.digest, root.size)) return;
    describe(image, root, row[1] as Digest, row[0]);
    for (let at = 1; at < row.length; at += 2) {
      const digest = row[at] as Digest;
      if (row.indexOf(digest) === at) count(digest, row[at + 1] as number);
    }
  }

  for (const [digest, root] of roots) {
    const image: ImageFacts = { created: undefined, size: 0, uniqueSize: 0, platforms: [] };
    facts.set(digest, image);
    images.push(image);
    const row = documents.row(digest);
    if (row !== undefined) {
      countRow(image, root, row);
      continue;
    }
    walkStored(paths, root, {
      read,
      isPresent: (descriptor) => present.has(descriptor.digest),
      present: ({ digest, size }) => count(digest, size),
      manifest: (descriptor, { config, facts }) => describe(image, descriptor, config.digest, facts),
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
