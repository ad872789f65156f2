// A repository of a registry as a place images can be read from (OCI distribution spec, pull).
import { Readable } from 'node:stream';
import type { ImageSource } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';
import type { Repository as NamedRepository } from '../reference/reference.ts';
import { canonicalRegistry } from '../reference/registry-host.ts';
import type { CredentialSource } from './credentials.ts';
import { fetchContent } from './fetch-content.ts';
import { resolveManifest } from './resolve.ts';
import { createSession } from './session.ts';
import { listTags, type TagsOptions } from './tags.ts';
import type { Transport } from './transport.ts';

/** What names a repository; a whole `Reference` does. */
export type RepositoryName = NamedRepository;

/** A repository; tokens are kept as long as this is. */
export interface Repository extends ImageSource, RepositoryName {
  /**
   * The tags in the registry's order, asked for page by page as they are read.
   * Throws IMAGE_NOT_FOUND, UNAUTHORIZED, DENIED, REGISTRY_ERROR.
   */
  tags(options?: TagsOptions): AsyncGenerator<string, void>;
}

export interface RepositoryOptions {
  /** Default: anonymous. */
  credentials?: CredentialSource | undefined;
}

/** Documents read to resolve names and not fetched yet that are kept, at most. */
const DOCUMENTS_KEPT = 8;

/** Opens a repository; no request is made before one is needed. */
export function openRepository(
  transport: Transport,
  name: RepositoryName,
  { credentials }: RepositoryOptions = {},
): Repository {
  const registry = canonicalRegistry(name.registry);
  const session = createSession(transport, registry, name.repository, credentials);
  /** Read while resolving a name, so that fetching them does not ask (and count) twice. */
  const documents = new Map<Digest, Buffer>();

  return {
    registry,
    repository: name.repository,
    async resolve(reference, options) {
      const { descriptor, raw } = await resolveManifest(session, reference, options);
      if (raw !== undefined) {
        documents.set(descriptor.digest, raw);
        const [oldest] = documents.keys();
        if (documents.size > DOCUMENTS_KEPT && oldest !== undefined) documents.delete(oldest);
      }
      return descriptor;
    },
    async fetch(descriptor, options) {
      const raw = documents.get(descriptor.digest);
      if (raw === undefined) return await fetchContent(session, descriptor, options);
      return Readable.from([raw.subarray(options?.offset ?? 0)]);
    },
    tags: (options) => listTags(session, options),
  };
}
