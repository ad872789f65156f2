// The mover: one walk takes an image graph from any place to any other. Pull, push, save, load and mirror are all this.
// Children arrive before their parents and the name comes last, so a target never names what it does not hold.
import pLimit, { type LimitFunction } from 'p-limit';
import { abortError, OciError, throwIfAborted } from '../errors.ts';
import type { Descriptor, Platform } from '../manifest/descriptor.ts';
import { type ManifestDocument, parseDocument } from '../manifest/document.ts';
import { MAX_INDEX_DEPTH } from '../manifest/limits.ts';
import { isIndexType, isManifestType } from '../manifest/media-types.ts';
import { hostPlatform } from '../manifest/platform.ts';
import { selectPlatform } from '../manifest/platform-match.ts';
import type { ImageSource, ImageTarget } from '../place/place.ts';
import type { LongOptions } from '../place/progress.ts';
import { readSmall } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference, type Reference } from '../reference/reference.ts';
import { type BlobOutcome, copyBlob } from './copy-blob.ts';

/** Blobs in flight at once from one registry. */
const DEFAULT_CONCURRENCY = 6;

/** Which parts of a multi-platform image to copy. */
export interface Selection {
  /** The platform to choose from an index. Default: the host's. */
  platform?: Platform | undefined;
  /** Everything the index names, attestations included. */
  allPlatforms?: boolean | undefined;
}

/** What `copy` did. */
export interface CopyResult {
  /** What the name stands for: an index or a manifest. */
  root: Descriptor;
  /** The image manifests copied. */
  manifests: Descriptor[];
  /** Bytes fetched from the source, documents included. */
  transferred: number;
  /** Bytes that were there already. */
  reused: number;
}

/** Copies into one target; blobs wanted by several copies at once are fetched once. */
export interface Copier {
  /**
   * Copies the graph `name` stands for and tags it in the target.
   * Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, MANIFEST_INVALID, and what the two places throw.
   */
  copy(source: ImageSource, name: Reference, selection?: Selection): Promise<CopyResult>;
}

/** Options of a copier. */
export interface CopierOptions extends LongOptions {
  /** Blobs in flight per registry. Default 6. */
  concurrency?: number | undefined;
}

/** A copier into `target`. */
export function createCopier(target: ImageTarget, options: CopierOptions = {}): Copier {
  const limits = new Map<string, LimitFunction>();
  const inFlight = new Map<Digest, Promise<BlobOutcome>>();

  function limitFor(registry: string): LimitFunction {
    let limit = limits.get(registry);
    if (limit === undefined) {
      limit = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
      limits.set(registry, limit);
    }
    return limit;
  }

  /** One blob, once, however many images of this copier want it at the same time. */
  async function shared(
    source: ImageSource,
    descriptor: Descriptor,
    limit: LimitFunction,
    signal: AbortSignal,
  ): Promise<BlobOutcome> {
    for (let running = inFlight.get(descriptor.digest); running; running = inFlight.get(descriptor.digest)) {
      // Another image's failure is not ours: if its fetch ends badly, the loop ends and we fetch.
      const arrived = await running.then(
        () => true,
        () => false,
      );
      if (arrived) return { transferred: 0, reused: descriptor.size };
    }
    const job = limit(() => copyBlob(source, target, descriptor, { ...options, signal }));
    inFlight.set(descriptor.digest, job);
    try {
      return await job;
    } finally {
      inFlight.delete(descriptor.digest);
    }
  }

  async function copy(source: ImageSource, name: Reference, selection: Selection = {}): Promise<CopyResult> {
    throwIfAborted(options.signal);
    const root = await resolveRoot(source, target, name, options.signal);
    options.onProgress?.({ type: 'resolved', name: formatReference(name), descriptor: root });
    const graph = await readGraph(
      source,
      target,
      root,
      { ...selection, what: formatReference(name) },
      options,
    );
    const limit = limitFor(name.registry);
    // Largest first: the longest download decides when everything is done.
    const blobs = [...graph.blobs.values()].sort((a, b) => b.size - a.size);
    for (const descriptor of blobs) options.onProgress?.({ type: 'queued', descriptor });
    const outcomes = await allOrNone(options.signal, (signal) =>
      blobs.map((descriptor) => shared(source, descriptor, limit, signal)),
    );
    for (const document of graph.documents) outcomes.push(await storeDocument(target, document));
    await target.tag(root, name);
    const sum = (key: keyof BlobOutcome): number =>
      outcomes.reduce((total, outcome) => total + outcome[key], 0);
    return { root, manifests: graph.manifests, transferred: sum('transferred'), reused: sum('reused') };
  }

  return { copy };
}

/** The parts of an image that a selection names. */
interface Graph {
  /** Indexes and manifests with their bytes, children before parents. */
  documents: GraphDocument[];
  manifests: Descriptor[];
  blobs: Map<Digest, Descriptor>;
}

/** A selection, and the name it is made for. */
type NamedSelection = Selection & { what: string };

interface GraphDocument {
  descriptor: Descriptor;
  raw: Buffer;
  /** The target had it: nothing to write. */
  held: boolean;
}

/** Cheaply first: what the target has need not be read again. */
async function resolveRoot(
  source: ImageSource,
  target: ImageTarget,
  name: Reference,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const known = await source.resolve(name, { signal, cheap: true });
  return (await target.has(known)) ? known : source.resolve(name, { signal });
}

async function readGraph(
  source: ImageSource,
  target: ImageTarget,
  root: Descriptor,
  selection: NamedSelection,
  options: LongOptions,
): Promise<Graph> {
  const graph: Graph = { documents: [], manifests: [], blobs: new Map() };
  const seen = new Set<Digest>();

  async function visit(descriptor: Descriptor, depth: number): Promise<void> {
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    if (depth > MAX_INDEX_DEPTH) {
      throw new OciError(
        'MANIFEST_INVALID',
        `${root.digest}: indexes nested more than ${MAX_INDEX_DEPTH} deep`,
      );
    }
    throwIfAborted(options.signal);
    const held = await target.has(descriptor);
    // A document the target holds is not asked for again: manifest GETs count against Docker Hub's pull limit.
    const raw = await readSmall(held ? target : source, descriptor, options);
    const document = parseDocument(raw, { descriptor });
    if (document.warning !== undefined) options.onProgress?.({ type: 'warning', message: document.warning });
    for (const child of childrenOf(document, selection)) {
      if (isIndexType(child.mediaType) || isManifestType(child.mediaType)) await visit(child, depth + 1);
      // An index may point at anything (image-spec image-index.md); what we cannot read is carried along as it is.
      else graph.blobs.set(child.digest, child);
    }
    if (document.kind === 'manifest') {
      graph.manifests.push(descriptor);
      for (const blob of [document.manifest.config, ...document.manifest.layers]) {
        graph.blobs.set(blob.digest, blob);
      }
    }
    graph.documents.push({ descriptor, raw, held });
  }

  await visit(root, 0);
  return graph;
}

function childrenOf(document: ManifestDocument, selection: NamedSelection): Descriptor[] {
  if (document.kind === 'manifest') return [];
  const children = document.index.manifests;
  if (selection.allPlatforms === true) return children;
  return [selectPlatform(children, selection.platform ?? hostPlatform(), selection.what)];
}

async function storeDocument(target: ImageTarget, document: GraphDocument): Promise<BlobOutcome> {
  const { descriptor, raw, held } = document;
  const ingest = held ? undefined : await target.ingest(descriptor);
  if (ingest === undefined) return { transferred: 0, reused: descriptor.size };
  try {
    if (ingest.offset > 0) await ingest.restart();
    await ingest.write(raw);
  } catch (error) {
    await ingest.abort();
    throw error;
  }
  await ingest.commit();
  return { transferred: descriptor.size, reused: 0 };
}

/**
 * Runs the jobs to their end. When one fails the others are told to stop, and its error is thrown once all have
 * stopped: nothing is being written any more when the caller hears of it.
 */
async function allOrNone<T>(
  outer: AbortSignal | undefined,
  start: (signal: AbortSignal) => Promise<T>[],
): Promise<T[]> {
  const failure = new AbortController();
  const signal = outer === undefined ? failure.signal : AbortSignal.any([outer, failure.signal]);
  const jobs = start(signal);
  for (const job of jobs) job.catch((error: unknown) => failure.abort(error));
  await Promise.allSettled(jobs);
  if (failure.signal.aborted) throw outer?.aborted ? abortError(outer) : failure.signal.reason;
  return Promise.all(jobs);
}
