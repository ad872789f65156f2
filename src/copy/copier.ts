// The mover: one walk takes an image graph from any place to any other. Pull, push, save, load and mirror are all this.
// Children arrive before their parents and the name comes last, so a target never names what it does not hold.
import pLimit, { type LimitFunction } from 'p-limit';
import { abortError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { hasNameCheck, type ImageSource, type ImageTarget, isSplit } from '../place/place.ts';
import { writeSmall } from '../place/write-small.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference, type Reference, withDigest } from '../reference/reference.ts';
import { type BlobOptions, type BlobOutcome, copyBlob } from './copy-blob.ts';
import { createFlowGroup, type FlowGroup } from './flow-group.ts';
import { type GraphDocument, readGraph, type Selection } from './graph.ts';

/** Blobs in flight at once from one registry. */
const DEFAULT_CONCURRENCY = 6;

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
  copy(source: ImageSource, name: Reference, options?: CopyOptions): Promise<CopyResult>;
}

/** Which parts of an image to copy, and under which name. */
export interface CopyOptions extends Selection {
  /** The name in the target. Default: the source's. */
  as?: Reference | undefined;
}

/** Options of a copier. */
export interface CopierOptions extends Omit<BlobOptions, 'flows'> {
  /** Blobs in flight per registry. Default 6. */
  concurrency?: number | undefined;
}

/** A copier into `target`. */
export function createCopier(target: ImageTarget, options: CopierOptions = {}): Copier {
  const limits = new Map<string, LimitFunction>();
  const groups = new Map<string, FlowGroup>();
  const inFlight = new Map<Digest, Promise<BlobOutcome>>();

  function limitFor(registry: string): LimitFunction {
    let limit = limits.get(registry);
    if (limit === undefined) {
      limit = pLimit(options.concurrency ?? DEFAULT_CONCURRENCY);
      limits.set(registry, limit);
    }
    return limit;
  }

  /** Blobs that come from one host share its connections. */
  function flowsFrom(source: ImageSource): FlowGroup | undefined {
    if (!isSplit(source)) return undefined;
    const group = groups.get(source.registry) ?? createFlowGroup(source);
    groups.set(source.registry, group);
    return group;
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
    const flows = flowsFrom(source);
    const job = limit(() => copyBlob(source, target, descriptor, { ...options, signal, flows }));
    inFlight.set(descriptor.digest, job);
    try {
      return await job;
    } finally {
      inFlight.delete(descriptor.digest);
    }
  }

  async function copy(source: ImageSource, name: Reference, copying: CopyOptions = {}): Promise<CopyResult> {
    throwIfAborted(options.signal);
    const { as = name, ...selection } = copying;
    const found = await findRoot(source, target, { name, as }, options.signal);
    const what = formatReference(name);
    const request = { source, target, root: found.root, rootHeld: found.held, selection, what };
    options.onProgress?.({ type: 'resolved', name: what, descriptor: found.root });
    const graph = await readGraph(request, options);
    const limit = limitFor(as.registry);
    // Largest first: the longest download decides when everything is done.
    const blobs = [...graph.blobs.values()].sort((a, b) => b.size - a.size);
    for (const descriptor of blobs) options.onProgress?.({ type: 'queued', descriptor });
    const outcomes = await allOrNone(options.signal, (signal) =>
      blobs.map((descriptor) => shared(source, descriptor, limit, signal)),
    );
    for (const document of graph.documents) outcomes.push(await storeDocument(target, document));
    const { root } = graph;
    if (!found.named || root.digest !== found.root.digest) await target.tag(root, as);
    const sum = (key: keyof BlobOutcome): number =>
      outcomes.reduce((total, outcome) => total + outcome[key], 0);
    return { root, manifests: graph.manifests, transferred: sum('transferred'), reused: sum('reused') };
  }

  return { copy };
}

/** A root, and what is known of it in the target. */
interface FoundRoot {
  root: Descriptor;
  /** The target has the document. */
  held: boolean;
  /** The name stands for it there already. */
  named: boolean;
}

/** Cheaply first: what the target has need not be read again. */
async function findRoot(
  source: ImageSource,
  target: ImageTarget,
  { name, as }: { name: Reference; as: Reference },
  signal: AbortSignal | undefined,
): Promise<FoundRoot> {
  const known = await source.resolve(name, { signal, cheap: true });
  const named = hasNameCheck(target) && (await target.names(as, known, { signal }));
  if (named || (await target.has(known))) {
    // A HEAD may be wrong about the size (Harbor), which a registry's `has` does not look at.
    const root = hasNameCheck(target)
      ? await target.resolve(withDigest(as, known.digest), { signal })
      : known;
    return { root, held: true, named };
  }
  return { root: await source.resolve(name, { signal }), held: false, named: false };
}

async function storeDocument(target: ImageTarget, document: GraphDocument): Promise<BlobOutcome> {
  const { descriptor, raw, held } = document;
  const written = !held && (await writeSmall(target, descriptor, raw));
  const { size } = descriptor;
  return written ? { transferred: size, reused: 0 } : { transferred: 0, reused: size };
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
