// One [[registry]] table of registries.conf: which names it is about, and where these are to be had.
import { OciError } from '../errors.ts';
import { formatRepository, hasHost, parseRepository, type Repository } from '../reference/reference.ts';
import { canonicalRegistry, isRegistry } from '../reference/registry-host.ts';
import type { TomlFields } from './toml-file.ts';

/** A mirror of an entry. */
export interface ConfMirror {
  location: string;
  insecure: boolean;
  /** It may say what a tag stands for. */
  tags: boolean;
  /** It may be asked for content by digest whoever told us the digest. */
  digests: boolean;
}

export interface RegistryEntry {
  /** `docker.io`, `example.com/team`, `*.example.com`; with a tag or digest it is about one image. */
  prefix: string;
  /** Stands in for the prefix; undefined where names stay as they are. */
  location: string | undefined;
  insecure: boolean;
  blocked: boolean;
  mirrors: ConfMirror[];
  /** `FILE:LINE`, for messages. */
  place: string;
}

const WILDCARD = '*.';
/** No prefix is longer. */
const LONGEST = 1000;
const PULL_FROM_MIRROR = ['all', 'digest-only', 'tag-only', ''] as const;

/** Throws SETTINGS_INVALID. */
export function readEntry(table: TomlFields): RegistryEntry {
  const location = locationOf(table);
  const given = table.string('prefix')?.replace(/\/+$/, '');
  const prefix = given || location;
  if (prefix === undefined) throw table.error('prefix', 'HOST[:PORT][/PATH] here or as location');
  const isWildcard = prefix.startsWith(WILDCARD);
  if (
    isWildcard ? !isRegistry(prefix.slice(WILDCARD.length)) || prefix.includes(':') : !startsWithHost(prefix)
  ) {
    throw table.error('prefix', 'HOST[:PORT][/PATH] or *.DOMAIN');
  }
  const byDigestOnly = table.boolean('mirror-by-digest-only') ?? false;
  return {
    prefix: isWildcard ? prefix : canonicalName(prefix),
    location: location ?? (isWildcard ? undefined : prefix),
    insecure: table.boolean('insecure') ?? false,
    blocked: table.boolean('blocked') ?? false,
    mirrors: table.tables('mirror').map((mirror) => readMirror(mirror, byDigestOnly)),
    place: table.place,
  };
}

function readMirror(table: TomlFields, byDigestOnly: boolean): ConfMirror {
  const location = locationOf(table);
  if (location === undefined) throw table.error('location', 'HOST[:PORT][/PATH]');
  const pull = table.choice('pull-from-mirror', PULL_FROM_MIRROR) || undefined;
  if (pull !== undefined && byDigestOnly) {
    throw table.error('pull-from-mirror', 'nothing, as mirror-by-digest-only is set for all mirrors');
  }
  return {
    location,
    insecure: table.boolean('insecure') ?? false,
    tags: !byDigestOnly && pull !== 'digest-only',
    digests: pull !== 'tag-only',
  };
}

function locationOf(table: TomlFields): string | undefined {
  const location = table.string('location')?.replace(/\/+$/, '');
  if (location === undefined || location === '') return undefined;
  if (!startsWithHost(location)) throw table.error('location', 'HOST[:PORT][/PATH], without https://');
  return location;
}

function startsWithHost(text: string): boolean {
  const [host = ''] = text.split('/', 1);
  return /[.:]|^localhost$/.test(host) && isRegistry(host);
}

/** Docker Hub has several names. */
function canonicalName(text: string): string {
  const [host = '', ...path] = text.split('/');
  return [canonicalRegistry(host), ...path].join('/');
}

/** The entry for a repository: the one whose prefix covers most of its name. */
export function findEntry(entries: readonly RegistryEntry[], name: Repository): RegistryEntry | undefined {
  const text = formatRepository(name);
  let best: { entry: RegistryEntry; rank: number } | undefined;
  for (const entry of entries) {
    const rank = rankOf(entry.prefix, text);
    if (rank > (best?.rank ?? 0)) best = { entry, rank };
  }
  return best?.entry;
}

/** Of two prefixes that cover the same, one without a wildcard goes first, then the longer domain. 0 when it covers nothing. */
function rankOf(prefix: string, name: string): number {
  const length = covered(prefix, name);
  if (length === undefined) return 0;
  return length + (prefix.startsWith(WILDCARD) ? prefix.length / (2 * LONGEST) : 0.5);
}

/** Entries about one image of the repository: their prefix has a tag or a digest. */
export function imageEntries(entries: readonly RegistryEntry[], name: Repository): RegistryEntry[] {
  const text = formatRepository(name);
  return entries.filter(({ prefix }) => prefix.startsWith(text) && /^[:@]/.test(prefix.slice(text.length)));
}

/** Characters of the name that the prefix stands for; undefined when it is about others. */
function covered(prefix: string, name: string): number | undefined {
  if (prefix.startsWith(WILDCARD)) {
    const [registry = ''] = name.split('/', 1);
    const [host = ''] = registry.split(':', 1);
    return host.endsWith(prefix.slice(1)) ? registry.length : undefined;
  }
  return name === prefix || name.startsWith(`${prefix}/`) ? prefix.length : undefined;
}

/** The repository with `location` in place of what the entry's prefix stands for. Throws SETTINGS_INVALID. */
export function relocate(entry: RegistryEntry, name: Repository, location: string | undefined): Repository {
  if (location === undefined) return name;
  const text = formatRepository(name);
  const moved = location + text.slice(covered(entry.prefix, text) ?? 0);
  // Without a path it would be taken for an image of Docker Hub.
  if (!hasHost(moved)) throw noName(entry, text, moved);
  try {
    return parseRepository(moved);
  } catch (error) {
    throw noName(entry, text, moved, error);
  }
}

function noName({ place }: RegistryEntry, from: string, to: string, cause?: unknown): OciError {
  return new OciError('SETTINGS_INVALID', `${place}: ${from} becomes ${to}, which is no name`, {
    hint: 'a location should have as much of a path as its prefix has',
    cause,
  });
}
