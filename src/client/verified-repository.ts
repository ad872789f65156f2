// A repository that gives out only images that are signed as they have to be, and the one it has looked at: whoever asks
// twice for a name while copying is not asked to look twice, nor given another image the second time.
import type { Descriptor } from '../manifest/descriptor.ts';
import { readDocument } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, formatReference, type Reference } from '../reference/reference.ts';
import type { Repository } from '../registry/repository.ts';
import type { Demand } from '../verify/judge.ts';
import { checkSignatures } from './check-signatures.ts';
import type { Client, RepositoryUse } from './client.ts';

/** What an image has to fulfil; nothing, when it may be as it is. */
export type Rule = (reference: Reference) => Promise<readonly Demand[]>;

/** A repository with a door. */
export interface VerifiedRepository extends Repository {
  /** The same without: to look at what would be refused. */
  readonly unchecked: Repository;
}

/** How long a name stands for the image that was looked at. Milliseconds. */
const PINNED = 60_000;

/** Names, and parts of signed indexes, that are remembered. */
const MOST = 10_000;

/** Guards `resolve`, by which everything begins; contents are fetched by digest, and so are those of what was resolved. */
export function verifiedRepository(
  client: Client,
  repository: Repository,
  rule: Rule,
  use: RepositoryUse = {},
): VerifiedRepository {
  /** By name; undefined where nothing is demanded. */
  const known = new Map<string, { found: Promise<Descriptor | undefined>; until: number }>();
  /** What was let in, and the parts of that. */
  const vouched = new Set<Digest>();

  async function check(reference: Reference): Promise<Descriptor | undefined> {
    const demands = await rule(reference);
    if (demands.length === 0) return undefined;
    if (reference.digest !== undefined && vouched.has(reference.digest)) return undefined;
    // Not a HEAD: its size may be wrong, and the document is looked at anyway.
    const root = await repository.resolve(reference, { signal: client.signal });
    const image = {
      name: familiarReference(reference),
      source: repository,
      root,
      signatures: [async () => ({ source: repository, repository: reference })],
    };
    const { descriptor } = await checkSignatures(client, image, demands, use);
    if (descriptor.digest !== root.digest) {
      const message = `${image.name}: only its manifest for one platform is signed; it is taken without the index`;
      client.onProgress?.({ type: 'warning', message });
    }
    await vouch(descriptor);
    return descriptor;
  }

  /** A signed index stands for its parts: whoever serves them on asks for each by its digest. */
  async function vouch(descriptor: Descriptor): Promise<void> {
    const document = await readDocument(repository, descriptor, client);
    if (vouched.size > MOST) vouched.clear();
    vouched.add(descriptor.digest);
    if (document.kind === 'index') for (const { digest } of document.index.manifests) vouched.add(digest);
  }

  return {
    ...repository,
    unchecked: repository,
    async resolve(reference, resolving) {
      const name = formatReference(reference);
      let pinned = known.get(name);
      if (pinned === undefined || pinned.until < Date.now()) {
        if (known.size > MOST) known.clear();
        pinned = { found: check(reference), until: Date.now() + PINNED };
        known.set(name, pinned);
        pinned.found.catch(() => known.delete(name));
      }
      return (await pinned.found) ?? (await repository.resolve(reference, resolving));
    },
  };
}

/** The repository behind the door, if there is one. */
export function uncheckedRepository(repository: Repository): Repository {
  return 'unchecked' in repository ? (repository as VerifiedRepository).unchecked : repository;
}

/** A client that reads from registries only what fulfils the rule. */
export function verifyingClient(client: Client, rule: Rule, use: RepositoryUse = {}): Client {
  return {
    ...client,
    async repository(name, access, more) {
      const repository = await client.repository(name, access, more);
      if (access === 'push') return repository;
      return verifiedRepository(client, repository, rule, { ...more, ...use });
    },
  };
}
