// A repository that is read through mirrors: they are asked in order, the registry itself last. Whatever a mirror gets
// wrong is told once and does no harm: content counts by its digest, wherever it comes from.
import { Readable } from 'node:stream';
import { abortError, isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import type { Alternatives, FetchOptions } from '../place/place.ts';
import { readVerified } from '../place/verify.ts';
import type { Digest } from '../reference/digest.ts';
import type { Reference } from '../reference/reference.ts';
import { isLacking, type MirrorHealth, REST_MS } from './mirror-health.ts';
import type { Repository } from './repository.ts';

export interface Mirror {
  repository: Repository;
  /** May say what a tag stands for. */
  tags: boolean;
  /** May be asked for content by digest. */
  digests: boolean;
}

/** Reading asks mirrors first; all else is the origin's alone. */
export function throughMirrors(
  origin: Repository,
  mirrors: readonly Mirror[],
  health: MirrorHealth,
): Repository & Alternatives {
  /** Who said that a name stands for this digest: it has the document at hand, and is trusted with the rest. */
  const resolvers = new Map<Digest, Repository>();
  /** Who gave us bytes of this blob, and may have given wrong ones. */
  const givers = new Map<Digest, Set<Repository>>();
  const wrong = new Map<Digest, Set<Repository>>();
  /** Who said that they have not got a blob, and until when that is believed: each part of it would be asked for. */
  const lacking = new Map<Digest, Map<Repository, number>>();

  function usable({ repository }: Mirror, digest: Digest | undefined): boolean {
    return (
      health.isUp(repository.registry) &&
      !(digest !== undefined && wrong.get(digest)?.has(repository) === true)
    );
  }

  /** Those to ask for a blob, in order; the origin last. */
  function holdersOf({ digest }: Descriptor): Repository[] {
    const resolver = resolvers.get(digest);
    const resolved = new Set(resolvers.values());
    const able = mirrors.filter((mirror) => mirror.digests || resolved.has(mirror.repository));
    const lack = lacking.get(digest);
    const others = able
      .filter((mirror) => usable(mirror, digest) && !((lack?.get(mirror.repository) ?? 0) > Date.now()))
      .map(({ repository }) => repository);
    return resolver === origin ? [origin] : [...others, origin];
  }

  /** The next one is asked, unless it was the caller who wanted no answer. */
  function passOn(error: unknown, repository: Repository, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortError(signal);
    if (!isOciError(error) || isOciError(error, 'ABORTED')) throw error;
    health.failed(repository.registry, error, origin.registry);
  }

  function passOnBlob(
    error: unknown,
    repository: Repository,
    { digest }: Descriptor,
    signal?: AbortSignal,
  ): void {
    passOn(error, repository, signal);
    if (!isOciError(error) || !isLacking(error)) return;
    const lack = lacking.get(digest) ?? new Map<Repository, number>();
    remember(lacking, digest, lack.set(repository, Date.now() + REST_MS));
  }

  async function fetch(descriptor: Descriptor, options: FetchOptions = {}): Promise<Readable> {
    const holders = holdersOf(descriptor);
    if (holders.length === 1) return await origin.fetch(descriptor, options);
    if (descriptor.size <= MANIFEST_LIMIT) return await fetchSmall(holders, descriptor, options);
    // A reader that leaves lets go of whoever is being asked.
    const left = new AbortController();
    const signal =
      options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    const chunks = fetchLarge(holders, descriptor, { ...options, signal });
    // Asked now: that nobody has it is for the caller of `fetch` to hear.
    const first = await chunks.next();
    const stream = Readable.from(continued(first, chunks), { objectMode: false });
    stream.once('close', () => {
      left.abort();
      chunks.return().catch(() => {});
    });
    return stream;
  }

  /** Small content is verified before it is handed out. */
  async function fetchSmall(
    holders: Repository[],
    descriptor: Descriptor,
    options: FetchOptions,
  ): Promise<Readable> {
    const { offset = 0, signal } = options;
    for (const repository of holders) {
      if (repository === origin) break;
      try {
        const raw = await readVerified(await repository.fetch(descriptor, { signal }), descriptor);
        return Readable.from([raw.subarray(offset)], { objectMode: false });
      } catch (error) {
        passOnBlob(error, repository, descriptor, signal);
      }
    }
    return await origin.fetch(descriptor, options);
  }

  /**
   * When one breaks off the next goes on from there; unless the caller, told of it, leaves the bytes to its other
   * connections, and then nothing is said against the mirror. That one gives no parts is for the caller to hear, too.
   */
  async function* fetchLarge(
    holders: Repository[],
    descriptor: Descriptor,
    { offset = 0, end, signal, onSetback }: FetchOptions,
  ): AsyncGenerator<Buffer, void> {
    let held = offset;
    for (const repository of holders) {
      try {
        const heard = repository === origin ? onSetback : undefined;
        const stream = await repository.fetch(descriptor, { offset: held, end, signal, onSetback: heard });
        try {
          for await (const chunk of stream as AsyncIterable<Buffer>) {
            if (repository !== origin) noteGiver(descriptor.digest, repository);
            held += chunk.length;
            yield chunk;
          }
        } finally {
          stream.destroy();
        }
        return;
      } catch (error) {
        if (repository === origin || (end !== undefined && isOciError(error, 'UNSUPPORTED'))) throw error;
        if (isOciError(error) && !isLacking(error))
          onSetback?.(error.code === 'RATE_LIMITED' ? 429 : undefined);
        passOnBlob(error, repository, descriptor, signal);
      }
    }
  }

  function noteGiver(digest: Digest, repository: Repository): void {
    const known = givers.get(digest) ?? new Set();
    remember(givers, digest, known.add(repository));
  }

  return {
    ...origin,
    async resolve(reference, options) {
      for (const mirror of mirrors) {
        const { repository } = mirror;
        const able = reference.digest === undefined ? mirror.tags : mirror.digests;
        if (!able || !usable(mirror, reference.digest)) continue;
        try {
          const descriptor = await repository.resolve(nameAt(repository, reference), options);
          remember(resolvers, descriptor.digest, repository);
          return descriptor;
        } catch (error) {
          passOn(error, repository, options?.signal);
        }
      }
      const descriptor = await origin.resolve(reference, options);
      if (options?.cheap !== true) remember(resolvers, descriptor.digest, origin);
      return descriptor;
    },
    fetch,
    async describe(digest, options) {
      for (const mirror of mirrors) {
        if (!mirror.digests || !usable(mirror, digest)) continue;
        try {
          const found = await mirror.repository.describe(digest, options);
          if (found !== undefined) return found;
        } catch (error) {
          passOn(error, mirror.repository, options?.signal);
        }
      }
      return await origin.describe(digest, options);
    },
    distrust({ digest }, error) {
      const suspects = givers.get(digest);
      if (suspects === undefined) return false;
      givers.delete(digest);
      for (const suspect of suspects) health.failed(suspect.registry, error, origin.registry);
      const known = wrong.get(digest) ?? new Set();
      for (const suspect of suspects) known.add(suspect);
      remember(wrong, digest, known);
      return true;
    },
  };
}

/** A server that runs for months reads many images through one of these. */
const REMEMBERED = 1000;

function remember<T>(map: Map<Digest, T>, digest: Digest, value: T): void {
  map.delete(digest);
  map.set(digest, value);
  const [oldest] = map.keys();
  if (map.size > REMEMBERED && oldest !== undefined) map.delete(oldest);
}

function nameAt({ registry, repository }: Repository, { tag, digest }: Reference): Reference {
  return {
    registry,
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

async function* continued(
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer, void> {
  if (first.done !== true) yield first.value;
  yield* rest;
}
