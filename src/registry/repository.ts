// A repository of a registry as a place images can be read from and written to (OCI distribution spec).
import { Readable } from 'node:stream';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { subjectOf } from '../manifest/referrer.ts';
import type {
  ImageSource,
  ImageTarget,
  NameCheck,
  ReferrerTarget,
  Referring,
  SplitSource,
} from '../place/place.ts';
import { readSmall } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import {
  formatReference,
  type Repository as NamedRepository,
  type Reference,
} from '../reference/reference.ts';
import { canonicalRegistry } from '../reference/registry-host.ts';
import type { CredentialSource } from './credentials.ts';
import { describeBlob, existsIn, standsFor } from './exists.ts';
import { fetchContent, isDocument } from './fetch-content.ts';
import { openDocument, putManifest } from './put-manifest.ts';
import { createReferrersReader } from './referrers.ts';
import { recordReferrer } from './referrers-tag.ts';
import { removeFrom } from './remove.ts';
import { resolveManifest } from './resolve.ts';
import { createSession } from './session.ts';
import { listTags, type TagsOptions } from './tags.ts';
import type { Transport } from './transport.ts';
import { createUploader } from './upload.ts';

/** What names a repository; a whole `Reference` does. */
export type RepositoryName = NamedRepository;

/** A repository; tokens are kept as long as this is. */
export interface Repository
  extends ImageTarget,
    NameCheck,
    Referring,
    ReferrerTarget,
    SplitSource,
    RepositoryName {
  /**
   * The tags in the registry's order, asked for page by page as they are read.
   * Throws IMAGE_NOT_FOUND, UNAUTHORIZED, DENIED, REGISTRY_ERROR.
   */
  tags(options?: TagsOptions): AsyncGenerator<string, void>;
  /** A blob by its digest alone, undefined when it is not there. Throws UNAUTHORIZED, RATE_LIMITED, REGISTRY_ERROR. */
  describe(digest: Digest, options?: { signal?: AbortSignal | undefined }): Promise<Descriptor | undefined>;
  /**
   * Deletes the manifest of a reference with a digest, and so every tag of it; else the tag alone.
   * Throws IMAGE_NOT_FOUND, UNSUPPORTED (not at this registry, or not by tag), DENIED, UNAUTHORIZED.
   */
  remove(reference: Reference): Promise<void>;
}

export interface RepositoryOptions {
  /** Default: anonymous. */
  credentials?: CredentialSource | undefined;
  /** What tokens are asked for; with `push` one serves for reading and writing. Default `pull`. */
  access?: 'pull' | 'push' | undefined;
  /** Looks for tags that come close when one is not there. Default true. */
  suggest?: boolean | undefined;
}

/** Documents read or written lately that are kept, at most. */
const DOCUMENTS_KEPT = 8;

/** Opens a repository; no request is made before one is needed. */
export function openRepository(
  transport: Transport,
  name: RepositoryName,
  { credentials, access = 'pull', suggest }: RepositoryOptions = {},
): Repository {
  const registry = canonicalRegistry(name.registry);
  const { repository } = name;
  const reading = createSession(transport, registry, repository, credentials);
  const writing = reading.writing();
  const session = access === 'push' ? writing : reading;
  const uploader = createUploader(writing);
  const referrers = createReferrersReader(session);
  /** Read while resolving a name or just written, so that fetching or tagging them does not ask (and count) twice. */
  const documents = new Map<Digest, Buffer>();
  /** Written just now, and so known by what they refer to. */
  const recorded = new Set<Digest>();

  function keep(digest: Digest, raw: Buffer): void {
    documents.set(digest, raw);
    const [oldest] = documents.keys();
    if (documents.size > DOCUMENTS_KEPT && oldest !== undefined) documents.delete(oldest);
  }

  const self: Repository = {
    registry,
    repository,
    connections: transport.connections,
    bytesPerSecond: transport.limiter?.bytesPerSecond,
    async resolve(reference, options) {
      const { descriptor, raw } = await resolveManifest(session, reference, { ...options, suggest });
      if (raw !== undefined) keep(descriptor.digest, raw);
      return descriptor;
    },
    async fetch(descriptor, options) {
      const raw = documents.get(descriptor.digest);
      if (raw === undefined) return await fetchContent(session, descriptor, options);
      return Readable.from([raw.subarray(options?.offset ?? 0)]);
    },
    describe: (digest, options) => describeBlob(session, digest, options?.signal),
    tags: (options) => listTags(session, options),
    has: (descriptor) => existsIn(session, descriptor),
    names: (reference, descriptor, options) => standsFor(session, reference, descriptor, options?.signal),
    async ingest(descriptor, options = {}) {
      const { signal } = options;
      if (!isDocument(descriptor.mediaType)) {
        return await uploader.ingest(descriptor, { signal, mountFrom: mountable(options.from) });
      }
      // Not asked for first: whoever copies has looked for it, and writing it once more changes nothing.
      return openDocument(descriptor, async (raw) => {
        const noted = await putManifest(writing, descriptor, raw, { name: descriptor.digest, signal });
        const subject = noted ? undefined : subjectOf(descriptor, raw);
        if (subject !== undefined) await recordReferrer(writing, descriptor, raw, { subject, signal });
        recorded.add(descriptor.digest);
        keep(descriptor.digest, raw);
      });
    },
    async tag(descriptor, reference) {
      const { tag, digest } = reference;
      if (digest !== undefined && digest !== descriptor.digest) throw otherDigest(descriptor, reference);
      if (tag === undefined) return;
      const raw = documents.get(descriptor.digest) ?? (await readSmall(self, descriptor));
      await putManifest(writing, descriptor, raw, { name: tag });
    },
    referrers: (subject, options) => referrers.list(subject, options),
    async refer(descriptor) {
      // One with the API found out when the document was written. Without, the list may lack what is there: whoever wrote it
      // may have died before it was recorded.
      if (recorded.has(descriptor.digest)) return;
      const raw = documents.get(descriptor.digest) ?? (await readSmall(self, descriptor));
      const subject = subjectOf(descriptor, raw);
      if (subject === undefined) return;
      if (referrers.hasApi === undefined) await referrers.list(subject.digest);
      if (referrers.hasApi === false) await recordReferrer(writing, descriptor, raw, { subject });
    },
    remove: (reference) => removeFrom(writing, reference),
  };

  /** The repository to mount from, when the bytes come from another one of this registry. */
  function mountable(from: ImageSource | undefined): string | undefined {
    if (from === undefined || !isRepository(from)) return undefined;
    return from.registry === registry && from.repository !== repository ? from.repository : undefined;
  }

  return self;
}

function isRepository(place: ImageSource): place is ImageSource & RepositoryName {
  return 'registry' in place && 'repository' in place;
}

function otherDigest(descriptor: Descriptor, reference: Reference): OciError {
  return new OciError(
    'USAGE',
    `${formatReference(reference)}: the image has the digest ${descriptor.digest}`,
    { hint: 'name the destination by a tag, or by the digest the image has' },
  );
}
