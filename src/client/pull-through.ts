// The registry behind `serve --proxy`: tags are asked about with a HEAD, which counts against no pull limit; documents and
// blobs are fetched once, whoever and however many ask for them.
import pLimit from 'p-limit';
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { readSmall } from '../place/read-document.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { isTag } from '../reference/grammar.ts';
import {
  formatReference,
  formatRepository,
  hasHost,
  parseRepository,
  type Reference,
  type Repository as RepositoryName,
  withDigest,
  withTag,
} from '../reference/reference.ts';
import { parseRegistry } from '../reference/registry-host.ts';
import type { Repository } from '../registry/repository.ts';
import type { Upstream, UpstreamManifest } from '../serve/upstream.ts';
import { createBlobFlights } from './blob-flights.ts';
import type { Client } from './client.ts';
import { createIncoming } from './incoming-images.ts';
import { createRecent, onceAtATime } from './recent.ts';
import { stored, storedTags } from './stored-names.ts';
import { uncheckedRepository } from './verified-repository.ts';

export interface PullThroughOptions {
  /** Ask without credentials, so that nobody pulls with ours. Default false. */
  anonymous?: boolean | undefined;
}

/** A pull asks about its tag twice within a moment; milliseconds. */
const TAG_FRESH_MS = 10_000;
const TAGS_FRESH_MS = 60_000;
/** With an answer at hand, milliseconds: how long a better one is waited for, and how long after that none is asked for. */
const PATIENCE_MS = 5000;
const DOWN_MS = 15_000;
/** Blobs fetched at once. */
const CONCURRENCY = 6;
/** What is remembered, at most: open repositories with their tokens, and tags. */
const REPOSITORIES = 200;
const TAGS = 10_000;
/** Tags of one repository passed on, at most. */
const TAGS_LISTED = 100_000;

/**
 * Another registry behind the client's store. `registry`: `docker.io`, `https://ghcr.io`, `localhost:5000`.
 * Throws INVALID_REFERENCE.
 */
export async function pullThrough(
  client: Client,
  registry: string,
  options: PullThroughOptions = {},
): Promise<Upstream> {
  const host = parseRegistry(registry.replace(/^https?:\/\//, '').replace(/\/+$/, ''));
  const store = await client.store();
  const stopped = new AbortController();
  const { signal } = stopped;
  const incoming = createIncoming(store);
  const blobs = createBlobFlights(store, {
    signal,
    onProgress: client.onProgress,
    limit: pLimit(CONCURRENCY),
  });
  const repositories = createRecent<Promise<Repository>>({ most: REPOSITORIES });
  const tags = createRecent<Descriptor>({ most: TAGS, ms: TAG_FRESH_MS });
  const lists = createRecent<string[]>({ most: REPOSITORIES, ms: TAGS_FRESH_MS });
  const resolving = onceAtATime<{ descriptor: Descriptor; stale: string | undefined }>();
  const fetching = onceAtATime<{ descriptor: Descriptor; raw: Buffer }>();
  let downUntil = 0;

  /** Undefined for a repository of another registry. */
  function nameHere(name: string): RepositoryName | undefined {
    const found = parseRepository(hasHost(name) ? name : `${host}/${name}`);
    return found.registry === host ? found : undefined;
  }

  function open(name: RepositoryName): Promise<Repository> {
    const key = formatRepository(name);
    const known = repositories.get(key);
    if (known !== undefined) return known;
    const opened = client.repository(name, 'pull', { anonymous: options.anonymous, suggest: false });
    repositories.set(key, opened);
    opened.catch(() => repositories.delete(key));
    return opened;
  }

  /** The answer of the other registry, or `known` when it does not answer, with why. */
  async function orStale<T>(
    known: T | undefined,
    ask: (signal: AbortSignal) => Promise<T>,
  ): Promise<{ value: T; stale: string | undefined }> {
    if (known === undefined) return { value: await ask(signal), stale: undefined };
    const stale = `${host} does not answer; this may be out of date`;
    if (Date.now() < downUntil) return { value: known, stale };
    const patience = AbortSignal.timeout(PATIENCE_MS);
    try {
      return { value: await ask(AbortSignal.any([signal, patience])), stale: undefined };
    } catch (error) {
      if (signal.aborted || !(patience.aborted || isDown(error))) throw error;
      downUntil = Date.now() + DOWN_MS;
      return { value: known, stale };
    }
  }

  /** What a tag stands for now. */
  async function current(
    reference: Reference,
  ): Promise<{ descriptor: Descriptor; stale: string | undefined }> {
    const key = formatReference(reference);
    const fresh = tags.get(key);
    if (fresh !== undefined) return { descriptor: fresh, stale: undefined };
    return await resolving(key, async () => {
      const repository = await open(reference);
      const { value, stale } = await orStale(await stored(store, reference), (stop) =>
        repository.resolve(reference, { signal: stop, cheap: true }),
      );
      if (stale === undefined) tags.set(key, value);
      return { descriptor: value, stale };
    });
  }

  /** A document that the store has not, kept for the next who asks. */
  function fetchDocument(
    name: RepositoryName,
    digest: Digest,
  ): Promise<{ descriptor: Descriptor; raw: Buffer }> {
    return fetching(`${formatRepository(name)}@${digest}`, async () => {
      const opened = await open(name);
      // A policy was asked about the index; its parts have no signature of their own.
      const repository = incoming.isPart(name, digest) ? uncheckedRepository(opened) : opened;
      const descriptor = await repository.resolve(withDigest(name, digest), { signal });
      const raw = await readSmall(repository, descriptor, { signal });
      incoming.add(name, descriptor, raw);
      return { descriptor, raw };
    });
  }

  async function content(
    name: RepositoryName,
    known: Descriptor | undefined,
    digest: Digest,
    document: boolean,
  ): Promise<Omit<UpstreamManifest, 'stale'>> {
    const held = await stored(store, withDigest(name, digest));
    if (held !== undefined) {
      if (document) incoming.note(name, await readSmall(store, held));
      return { descriptor: held, raw: undefined };
    }
    const kept = incoming.document(digest);
    if (kept !== undefined) return kept;
    if (!document) {
      const repository = await open(name);
      const cheap = { signal, cheap: true };
      return {
        descriptor: known ?? (await repository.resolve(withDigest(name, digest), cheap)),
        raw: undefined,
      };
    }
    return await fetchDocument(name, digest);
  }

  async function describe(name: RepositoryName, digest: Digest): Promise<Descriptor> {
    const known = incoming.blob(digest) ?? (await (await open(name)).describe(digest, { signal }));
    if (known !== undefined) return known;
    throw new OciError('BLOB_NOT_FOUND', `${formatRepository(name)}: no blob ${digest}`);
  }

  return {
    registry: host,
    async manifest(text, reference, { document }) {
      const name = nameHere(text);
      if (name === undefined) return undefined;
      if (!isDigest(reference)) {
        if (!isTag(reference)) return undefined;
        const { descriptor, stale } = await current(withTag(name, reference));
        const found = await content(name, descriptor, descriptor.digest, document);
        // Many clients ask for a tag's digest with HEAD, and for the document by that.
        if (stale === undefined) await incoming.name(withTag(name, reference), found.descriptor);
        return { ...found, stale };
      }
      const found = await content(name, undefined, reference, document);
      // What the store had before may be of another repository.
      if (found.raw !== undefined && !incoming.isPart(name, reference)) {
        await incoming.name(withDigest(name, reference), found.descriptor);
      }
      return { ...found, stale: undefined };
    },
    async describe(text, digest) {
      const name = nameHere(text);
      return name && (await describe(name, digest));
    },
    async blob(text, digest) {
      const name = nameHere(text);
      if (name === undefined) return undefined;
      const descriptor = await describe(name, digest);
      return await blobs.follow(await open(name), descriptor, () => incoming.settle());
    },
    async tags(text) {
      const name = nameHere(text);
      if (name === undefined) return undefined;
      const key = formatRepository(name);
      const fresh = lists.get(key);
      if (fresh !== undefined) return { tags: fresh, stale: undefined };
      const repository = await open(name);
      const { value, stale } = await orStale(await storedTags(store, name), (stop) =>
        listed(repository, stop),
      );
      if (stale === undefined) lists.set(key, value);
      return { tags: value, stale };
    },
    async referrers(text, subject) {
      const name = nameHere(text);
      if (name === undefined) return undefined;
      const repository = await open(name);
      return (
        await orStale<Descriptor[] | undefined>([], (stop) => repository.referrers(subject, { signal: stop }))
      ).value;
    },
    async close() {
      stopped.abort(new OciError('ABORTED', 'the server is closed'));
      await blobs.close();
    },
  };
}

/** True when somebody else may know better than this answer: the registry is not there, or has enough of us. */
function isDown(error: unknown): boolean {
  const codes = ['NETWORK', 'TIMEOUT', 'TLS', 'RATE_LIMITED', 'REGISTRY_ERROR'] as const;
  return codes.some((code) => isOciError(error, code));
}

async function listed(repository: Repository, signal: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  for await (const tag of repository.tags({ signal })) {
    if (found.push(tag) === TAGS_LISTED) break;
  }
  return found;
}
