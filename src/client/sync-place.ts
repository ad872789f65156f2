// The two ends of a `sync` entry: a repository of a registry, of the store, or of an OCI layout.
import { parseImageSource, registryName } from '../archive/image-name.ts';
import { openOciLayout } from '../archive/open.ts';
import { openStore } from '../blobstore/store.ts';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageSource, ImageTarget, Listing } from '../place/place.ts';
import { isTag } from '../reference/grammar.ts';
import { parseReference, type Reference, type Repository, withTag } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseName as parseImageName } from './image-argument.ts';
import { withStoreReferrers } from './layout-referrers.ts';

/** An end as the file writes it. */
export type SyncPlace = { tag: string | undefined; text: string } & (
  | { kind: 'registry'; repository: Repository }
  | { kind: 'store'; repository: Repository | undefined }
  | { kind: 'oci'; path: string; repository: Repository | undefined }
);

/** A repository that can be read. */
export interface SyncSource {
  place: ImageSource;
  tags(): Promise<string[]>;
  nameOf(tag: string): Reference;
  close(): Promise<void>;
}

/** `NAME[:TAG]` and `docker://NAME` (a registry's), `store[:NAME]`, `oci:DIR[:NAME]`. Throws INVALID_REFERENCE, USAGE. */
export function parseSyncPlace(text: string): SyncPlace {
  if (text === 'store') return { kind: 'store', text, repository: undefined, tag: undefined };
  if (text.startsWith('store:')) return { kind: 'store', text, ...parseName(text.slice('store:'.length)) };
  const name = text.startsWith('docker://') ? undefined : parseBox(text);
  if (name === undefined) return { kind: 'registry', text, ...parseName(registryName(text)) };
  const { path, tag } = name;
  if (tag === undefined) return { kind: 'oci', text, path, repository: undefined, tag };
  return { kind: 'oci', text, path, ...parseName(tag) };
}

function parseBox(text: string): { path: string; tag: string | undefined } | undefined {
  const name = parseImageSource(text);
  if (!('path' in name)) return undefined;
  if (name.transport === 'oci' && name.selector.digest === undefined) {
    return { path: name.path, tag: name.selector.tag };
  }
  throw new OciError('USAGE', `expected a registry, the store or an oci:DIR, not ${text}`, {
    hint: 'archives are written whole: ocitool save, ocitool load',
  });
}

/** The tag only when one is written: `latest` is not meant by leaving it out. */
function parseName(text: string): { repository: Repository; tag: string | undefined } {
  const { registry, repository, tag, digest } = parseReference(text);
  if (digest !== undefined) {
    throw new OciError('USAGE', `expected a repository or a tag, not a digest: ${text}`);
  }
  return {
    repository: { registry, repository },
    tag: tag !== undefined && text.endsWith(`:${tag}`) ? tag : undefined,
  };
}

/** The place with an alias of this machine put in for a short name. Throws SETTINGS_INVALID. */
export async function expandPlace(client: Client, place: SyncPlace): Promise<SyncPlace> {
  if (place.kind === 'oci' || place.repository === undefined) return place;
  const { registry, repository } = await parseImageName(client, place.text.replace(/^store:/, ''));
  return { ...place, repository: { registry, repository } };
}

/** Opens the source. Throws PATH_NOT_FOUND, ARCHIVE_INVALID. */
export async function openSyncSource(client: Client, from: SyncPlace): Promise<SyncSource> {
  const close = async (): Promise<void> => {};
  if (from.kind === 'registry') {
    const place = await client.repository(from.repository);
    const tags = (): Promise<string[]> => Array.fromAsync(place.tags({ signal: client.signal }));
    return { place, tags, nameOf: (tag) => withTag(from.repository, tag), close };
  }
  if (from.kind === 'store') {
    const place = await client.store();
    const repository = from.repository;
    if (repository === undefined) {
      throw new OciError('USAGE', 'source: store of which repository?', { hint: 'write store:NAME' });
    }
    const tags = async (): Promise<string[]> => [...(await namesIn(place, repository)).keys()];
    return { place, tags, nameOf: (tag) => withTag(repository, tag), close };
  }
  const archive = withStoreReferrers(await openOciLayout(from.path), from.path);
  const names = await namesIn(archive, from.repository);
  const place: ImageSource = {
    ...archive,
    async resolve(reference) {
      const found = names.get(reference.tag ?? '');
      if (found !== undefined) return found;
      throw new OciError('IMAGE_NOT_FOUND', `${from.text}: no image ${reference.tag} in it`);
    },
  };
  const repository = from.repository ?? { registry: 'localhost', repository: 'unnamed' };
  return {
    place,
    tags: async () => [...names.keys()],
    nameOf: (tag) => withTag(repository, tag),
    close: () => archive.close(),
  };
}

/** By tag: the names of the repository, and those that are nothing but a tag. */
async function namesIn(place: Listing, repository: Repository | undefined): Promise<Map<string, Descriptor>> {
  const names = new Map<string, Descriptor>();
  for (const { name, descriptor } of await place.list()) {
    if (name === undefined) continue;
    if (isTag(name)) {
      if (!names.has(name)) names.set(name, descriptor);
      continue;
    }
    const reference = referenceOf(name);
    if (reference?.tag === undefined) continue;
    const isOther =
      repository !== undefined &&
      (reference.registry !== repository.registry || reference.repository !== repository.repository);
    if (!isOther) names.set(reference.tag, descriptor);
  }
  return names;
}

/** Undefined for what another tool wrote and is no reference. */
function referenceOf(name: string): Reference | undefined {
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}

/** Opens the target; a layout is shared by the store's rules, so that others may write to it at the same time. */
export async function openSyncTarget(client: Client, to: SyncPlace): Promise<ImageTarget> {
  if (to.kind === 'registry') return await client.repository(to.repository, 'push');
  return to.kind === 'store' ? await client.store() : await openStore(to.path);
}
