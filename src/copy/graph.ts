// Reads the part of an image graph that is wanted: its documents, and the blobs they lead to.
import { isOciError, OciError, throwIfAborted } from '../errors.ts';
import type { Descriptor, Platform } from '../manifest/descriptor.ts';
import { type ImageIndex, parseDocument } from '../manifest/document.ts';
import { MAX_INDEX_DEPTH } from '../manifest/limits.ts';
import { isIndexType, isManifestType } from '../manifest/media-types.ts';
import { hostPlatform } from '../manifest/platform.ts';
import { attestedDigest, isAttestation, selectPlatform } from '../manifest/platform-match.ts';
import { describe, subsetIndex } from '../manifest/subset-index.ts';
import { hasLocalBlobs, type ImageSource, type ImageTarget } from '../place/place.ts';
import type { LongOptions } from '../place/progress.ts';
import { readSmall } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';

/** Which parts of a multi-platform image to copy. */
export interface Selection {
  /** The platform, or platforms, to choose from an index. Default: the host's. */
  platform?: Platform | readonly Platform[] | undefined;
  /** Everything the index names, attestations included. */
  allPlatforms?: boolean | undefined;
  /** Everything the source has: all of the index, or the platforms that were pulled into a store. */
  held?: boolean | undefined;
  /**
   * What an index becomes of which only a part is copied. `kept` (default): it stays as it is, and names what is not
   * there, as a store may. `rewritten`: a new one names what was copied and the attestations of that (skopeo#1694, ggcr#1434).
   */
  index?: 'kept' | 'rewritten' | undefined;
}

/** The parts of an image that a selection names. */
export interface Graph {
  /** What the name is to stand for in the target. */
  root: Descriptor;
  /** Indexes and manifests with their bytes, children before parents. */
  documents: GraphDocument[];
  manifests: Descriptor[];
  blobs: Map<Digest, Descriptor>;
}

export interface GraphDocument {
  descriptor: Descriptor;
  raw: Buffer;
  /** The target had it: nothing to write. */
  held: boolean;
}

/** What is read, for whom. */
export interface GraphRequest {
  source: ImageSource;
  target: ImageTarget;
  root: Descriptor;
  /** The target was seen to have the root. */
  rootHeld: boolean;
  selection: Selection;
  /** The image, for messages. */
  what: string;
}

export async function readGraph(request: GraphRequest, options: LongOptions): Promise<Graph> {
  const { source, target, selection } = request;
  const graph: Graph = { root: request.root, documents: [], manifests: [], blobs: new Map() };
  const seen = new Map<Digest, Descriptor>();

  /** The descriptor by which the document is stored: another one when it had to be rewritten. */
  async function visit(descriptor: Descriptor, depth: number): Promise<Descriptor> {
    const known = seen.get(descriptor.digest);
    if (known !== undefined) return { ...descriptor, digest: known.digest, size: known.size };
    if (depth > MAX_INDEX_DEPTH) {
      throw new OciError(
        'MANIFEST_INVALID',
        `${request.root.digest}: indexes nested more than ${MAX_INDEX_DEPTH} deep`,
      );
    }
    throwIfAborted(options.signal);
    const held = (depth === 0 && request.rootHeld) || (await target.has(descriptor));
    // A document the target holds is not asked for again: manifest GETs count against Docker Hub's pull limit.
    const raw = await readSmall(held ? target : source, descriptor, options);
    const document = parseDocument(raw, { descriptor });
    if (document.warning !== undefined) options.onProgress?.({ type: 'warning', message: document.warning });
    seen.set(descriptor.digest, descriptor);
    if (document.kind === 'manifest') {
      graph.manifests.push(descriptor);
      for (const blob of [document.manifest.config, ...document.manifest.layers]) {
        graph.blobs.set(blob.digest, blob);
      }
      graph.documents.push({ descriptor, raw, held });
      return descriptor;
    }
    const stored = new Map<Digest, Descriptor>();
    for (const child of await choose(document.index, request, options)) {
      const isDocument = isIndexType(child.mediaType) || isManifestType(child.mediaType);
      // An index may point at anything (image-spec image-index.md); what we cannot read is carried along as it is.
      if (!isDocument) graph.blobs.set(child.digest, child);
      stored.set(child.digest, isDocument ? await visit(child, depth + 1) : child);
    }
    const subset = selection.index === 'rewritten' ? subsetIndex(raw, stored) : raw;
    if (subset === raw) {
      graph.documents.push({ descriptor, raw, held });
      return descriptor;
    }
    const rewritten = { ...descriptor, ...describe(subset) };
    seen.set(descriptor.digest, rewritten);
    graph.documents.push({ descriptor: rewritten, raw: subset, held: false });
    return rewritten;
  }

  graph.root = await visit(request.root, 0);
  return graph;
}

/** The entries of an index that are wanted, in its order. */
async function choose(
  { manifests }: ImageIndex,
  { source, selection, what }: GraphRequest,
  options: LongOptions,
): Promise<Descriptor[]> {
  if (selection.allPlatforms === true) return manifests;
  const here = await presentIn(source, manifests);
  if (selection.held === true) {
    const images = manifests.filter((child) => !isAttestation(child));
    const lacking = images.filter((child) => !here.has(child.digest)).length;
    if (lacking === images.length && lacking > 0) {
      throw new OciError('BLOB_NOT_FOUND', `${what}: none of the ${lacking} images of its index is here`);
    }
    if (lacking > 0 && selection.index === 'rewritten') {
      warn(
        options,
        `${what}: ${images.length - lacking} of ${images.length} platforms are here; the index is written anew without the others`,
      );
    }
    return manifests.filter(({ digest }) => here.has(digest));
  }
  const { platform = hostPlatform() } = selection;
  const wanted = 'os' in platform ? [platform] : platform;
  const chosen = new Set<string>(wanted.map((one) => selectPlatform(manifests, one, what).digest));
  if (selection.index === 'rewritten') {
    for (const { digest } of manifests.filter((child) => chosen.has(attestedDigest(child) ?? ''))) {
      if (here.has(digest)) chosen.add(digest);
      else warn(options, `${what}: the attestation ${digest} is not here and is left out`);
    }
  }
  return manifests.filter(({ digest }) => chosen.has(digest));
}

/** Which of the documents a local source holds; a registry is taken to hold all it names. */
async function presentIn(source: ImageSource, descriptors: readonly Descriptor[]): Promise<Set<Digest>> {
  const present = new Set<Digest>();
  for (const descriptor of descriptors) {
    try {
      if (hasLocalBlobs(source)) await source.locate(descriptor);
      present.add(descriptor.digest);
    } catch (error) {
      if (!isOciError(error, 'BLOB_NOT_FOUND')) throw error;
    }
  }
  return present;
}

function warn({ onProgress }: LongOptions, message: string): void {
  onProgress?.({ type: 'warning', message });
}
