// Image names as people write them for `docker pull`, turned into the one form everything else works with.
import { OciError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';
import { explainReference, TAG_HINT } from './explain.ts';
import { isIdentifier, isRepositoryPath, isTag, MAX_REPOSITORY_LENGTH, splitReference } from './grammar.ts';
import { canonicalRegistry, DOCKER_HUB, isRegistry } from './registry-host.ts';

/** A repository, fully normalised: `alpine` is docker.io / library/alpine. */
export interface Repository {
  /** Host and optional port as written, `docker.io` for Docker Hub. */
  readonly registry: string;
  /** `library/alpine` */
  readonly repository: string;
}

/** An image name, fully normalised: `alpine` is docker.io / library/alpine / latest. */
export interface Reference extends Repository {
  /** Absent only when a digest is given and no tag was written. */
  readonly tag?: string;
  /** Wins over the tag when present. */
  readonly digest?: Digest;
}

const DEFAULT_TAG = 'latest';
const OFFICIAL = 'library/';

/**
 * The image `text` names, by the rules of `docker pull NAME`: grammar of distribution/reference, `docker.io` when the
 * first component is no host, `library/` for Docker Hub's official images, `latest` when there is neither tag nor digest.
 * Throws INVALID_REFERENCE, with a hint that says what is wrong.
 */
export function parseReference(text: string): Reference {
  const { name, tag, digest } = splitReference(text);
  // docker would read `sha256:…` as the tag of an image called sha256, and refuses to make one
  const repository = isIdentifier(text) || isDigest(text) ? undefined : normalise(name);
  if (
    repository === undefined ||
    (tag !== undefined && !isTag(tag)) ||
    (digest !== undefined && !isDigest(digest))
  ) {
    throw invalid('image name', text);
  }
  if (digest === undefined) return { ...repository, tag: tag ?? DEFAULT_TAG };
  return tag === undefined ? { ...repository, digest } : { ...repository, tag, digest };
}

/** A repository named without tag or digest, as `tags REPOSITORY` takes it. Throws INVALID_REFERENCE. */
export function parseRepository(text: string): Repository {
  const { name, tag, digest } = splitReference(text);
  const repository = isIdentifier(text) ? undefined : normalise(name);
  if (repository === undefined) throw invalid('repository', text);
  if (tag !== undefined || digest !== undefined) {
    throw new OciError('INVALID_REFERENCE', `a repository has no tag and no digest: ${quote(text)}`, {
      hint: `write ${name}`,
    });
  }
  return repository;
}

/** `docker.io/library/alpine` */
export function formatRepository(repository: Repository): string {
  return `${repository.registry}/${repository.repository}`;
}

/** The full form, which names the same image everywhere: `docker.io/library/alpine:3.20`, with `@digest` when there is one. */
export function formatReference(reference: Reference): string {
  return formatRepository(reference) + suffix(reference);
}

/**
 * The short form people know: `alpine:3.20`. It always parses back to the same reference, so `docker.io/` stays where
 * the repository's first component would be taken for a host (docker drops it there: `docker.io/a.b/c`).
 */
export function familiarReference(reference: Reference): string {
  const full = formatRepository(reference);
  const { registry, repository } = reference;
  const official = repository.startsWith(OFFICIAL) ? repository.slice(OFFICIAL.length) : '';
  const short = official === '' || official.includes('/') ? repository : official;
  const familiar = registry === DOCKER_HUB && !hasHost(short) ? short : full;
  return familiar + suffix(reference);
}

/** The same repository at `digest`, without a tag: what `pull` prints. */
export function withDigest(repository: Repository, digest: Digest): Reference {
  return { registry: repository.registry, repository: repository.repository, digest };
}

/** The same repository at `tag`, without a digest. Throws INVALID_REFERENCE. */
export function withTag(repository: Repository, tag: string): Reference {
  if (!isTag(tag)) {
    throw new OciError('INVALID_REFERENCE', `not a tag: ${quote(tag)}`, { hint: TAG_HINT });
  }
  return { registry: repository.registry, repository: repository.repository, tag };
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? '' : `:${tag}`) + (digest === undefined ? '' : `@${digest}`);
}

function normalise(name: string): Repository | undefined {
  const [domain, path] = splitRegistry(name);
  const registry = canonicalRegistry(domain);
  if (!isRegistry(registry) || !isRepositoryPath(path)) return undefined;
  const repository = registry === DOCKER_HUB && !path.includes('/') ? OFFICIAL + path : path;
  return repository.length > MAX_REPOSITORY_LENGTH ? undefined : { registry, repository };
}

// docker's rule (distribution/reference, splitDockerDomain): the first component is a host when it has a dot or a colon,
// is `localhost`, or has upper-case letters, which no repository has.
function splitRegistry(name: string): [domain: string, path: string] {
  const slash = name.indexOf('/');
  return hasHost(name) ? [name.slice(0, slash), name.slice(slash + 1)] : [DOCKER_HUB, name];
}

/** True when a name says which registry it is of; without, it is Docker Hub's. */
export function hasHost(name: string): boolean {
  const first = name.slice(0, Math.max(name.indexOf('/'), 0));
  return /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase();
}

function invalid(what: string, text: string): OciError {
  const { reason, hint } = explainReference(text);
  return new OciError('INVALID_REFERENCE', `not a valid ${what}: ${quote(text)}: ${reason}`, { hint });
}

function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
