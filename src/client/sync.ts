// Sync: keeps repositories the same as others, tag by tag, between registries, the store and OCI layouts. It is `copy` for
// many images; what is the same already costs two HEAD requests.
import pLimit from 'p-limit';
import { type CopyResult, createCopier } from '../copy/copier.ts';
import { type Graph, readGraph, type Selection } from '../copy/graph.ts';
import { isOciError, OciError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { keepDocuments } from '../place/keep-documents.ts';
import { hasNameCheck, type ImageSource, type ImageTarget } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, type Reference, withTag } from '../reference/reference.ts';
import type { Client } from './client.ts';
import type { SyncEntry } from './sync-file.ts';
import { expandPlace, openSyncSource, openSyncTarget, type SyncPlace } from './sync-place.ts';
import { selectionOf, withReferrers } from './transfer.ts';

/** Tags of one entry at once. */
const TAGS_AT_ONCE = 4;

export interface SyncOptions {
  /** Copy nothing, only tell what would be. Default false. */
  dryRun?: boolean | undefined;
  /** Blobs in flight. Default 6. */
  concurrency?: number | undefined;
}

/** What became of one tag, or of an entry whose tags could not even be listed. */
export interface SyncResult {
  /** Of the entry in the file. */
  line: number;
  /** The entry's ends as the file writes them. */
  from: string;
  to: string;
  /** Undefined when the tags could not be listed. */
  tag?: string | undefined;
  /** The image's names. */
  source: string;
  target: string;
  status: 'copied' | 'unchanged' | 'would copy' | 'failed';
  /** What the target's tag stands for now. */
  digest?: Digest;
  referrers?: Digest[];
  /** Bytes fetched, and bytes that were there. */
  transferred: number;
  reused: number;
  error?: unknown;
}

/**
 * Syncs the entries of a YAML file, or those given, one after the other. A tag that fails is told in its result and stops no other; two syncs at once are
 * safe. Throws PATH_NOT_FOUND and SETTINGS_INVALID for the file, ABORTED, and nothing else.
 */
export async function sync(
  client: Client,
  list: string | readonly SyncEntry[],
  options: SyncOptions = {},
): Promise<SyncResult[]> {
  const entries = typeof list === 'string' ? (await import('./sync-file.ts')).readSyncFile(list) : list;
  const results: SyncResult[] = [];
  for (const entry of entries) {
    throwIfAborted(client.signal);
    try {
      const source = await expandPlace(client, entry.source);
      const target = await expandPlace(client, entry.target);
      results.push(...(await syncEntry(client, { ...entry, source, target }, options)));
    } catch (error) {
      if (isOciError(error, 'ABORTED')) throw error;
      const { source, target } = entry;
      results.push({ ...told(entry), source: source.text, target: target.text, ...failure(error) });
    }
  }
  return results;
}

async function syncEntry(client: Client, entry: SyncEntry, options: SyncOptions): Promise<SyncResult[]> {
  const source = await openSyncSource(client, entry.source);
  try {
    const target = await openSyncTarget(client, entry.target);
    const { chooseTags, needsList } = await import('./sync-tags.ts');
    const tags = chooseTags(needsList(entry.tags) ? await source.tags() : [], entry.tags);
    if (tags.length === 0) {
      throw new OciError('IMAGE_NOT_FOUND', `${entry.source.text}: no tag is chosen`, {
        hint: 'see what there is with ocitool tags, and look at tags and semver of the entry',
      });
    }
    const copyTag = await tagCopier(client, entry, { source: source.place, target, options });
    const limit = pLimit(TAGS_AT_ONCE);
    const jobs = tags.map((tag) =>
      limit(async (): Promise<SyncResult> => {
        const name = source.nameOf(tag);
        const as = targetName(entry, tag);
        const known = {
          ...told(entry),
          tag,
          source: nameText(entry.source, name),
          target: nameText(entry.target, as),
        };
        try {
          throwIfAborted(client.signal);
          return { ...known, ...(await copyTag(name, as)) };
        } catch (error) {
          if (isOciError(error, 'ABORTED')) throw error;
          return { ...known, ...failure(error) };
        }
      }),
    );
    await Promise.allSettled(jobs);
    return await Promise.all(jobs);
  } finally {
    await source.close();
  }
}

type TagResult = Pick<SyncResult, 'status' | 'digest' | 'referrers' | 'transferred' | 'reused'>;

/** What copies one tag of the entry. */
async function tagCopier(
  client: Client,
  { platforms, referrers }: SyncEntry,
  { source, target, options }: { source: ImageSource; target: ImageTarget; options: SyncOptions },
): Promise<(name: Reference, as: Reference) => Promise<TagResult>> {
  const { signal, onProgress } = client;
  const copier = createCopier(target, {
    signal,
    onProgress,
    verb: 'copied',
    concurrency: options.concurrency,
  });
  const selection: Selection = await selectionOf(client, { platforms });
  /** Only then are the documents of an image that did not change looked at. */
  const needsGraph = referrers || selection.platform !== undefined;

  return async (name, as) => {
    // Where the document is to be read its size must be right, which a HEAD may lie about (Harbor).
    const known = await source.resolve(name, { signal, cheap: !needsGraph });
    const kept = { ...source, ...keepDocuments(source, known, target) };
    const what = familiarReference(name);
    const readParts = (): Promise<Graph> =>
      readGraph({ source: kept, target, root: known, rootHeld: false, selection, what }, { signal });
    const graph = needsGraph ? await readParts() : undefined;
    const root = graph?.root ?? known;
    const isSame = await standsFor(target, as, root, signal);
    // A registry has all that its tag leads to; a store may have been given a part of it by pull.
    const isWhole = isSame && (hasNameCheck(target) || (await hasAll(graph ?? (await readParts()))));
    const nothing = { transferred: 0, reused: 0 };
    if (options.dryRun === true) {
      return { status: isWhole ? 'unchanged' : 'would copy', digest: root.digest, ...nothing };
    }
    const copied: CopyResult = isWhole
      ? { root, manifests: graph?.manifests ?? [], ...nothing }
      : await copier.copy(needsGraph ? kept : source, name, { ...selection, as });
    const request = { source, root: known, target, copied, name, as };
    const more = referrers ? await withReferrers(request, { signal, onProgress, verb: 'copied' }) : undefined;
    const { transferred, reused } = more ?? copied;
    return {
      status: isWhole && transferred === 0 ? 'unchanged' : 'copied',
      digest: copied.root.digest,
      ...(more !== undefined && { referrers: more.referrers }),
      transferred,
      reused,
    };
  };

  async function hasAll({ documents, blobs }: Graph): Promise<boolean> {
    for (const { descriptor } of documents) if (!(await target.has(descriptor))) return false;
    for (const blob of blobs.values()) if (!(await target.has(blob))) return false;
    return true;
  }
}

/** True when the name stands for the document in the target already. */
async function standsFor(
  target: ImageTarget,
  name: Reference,
  root: Descriptor,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (hasNameCheck(target)) return await target.names(name, root, { signal });
  try {
    return (await target.resolve(name, { signal })).digest === root.digest;
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return false;
    throw error;
  }
}

function targetName({ source, target }: SyncEntry, tag: string): Reference {
  const repository = target.repository ?? source.repository;
  if (repository === undefined) throw new Error('the file was checked for this');
  return withTag(repository, target.tag ?? tag);
}

function nameText(place: SyncPlace, reference: Reference): string {
  const name = familiarReference(reference);
  if (place.kind === 'registry') return name;
  if (place.kind === 'store') return `store:${name}`;
  return `oci:${place.path}:${place.repository === undefined ? reference.tag : name}`;
}

function told({ line, source, target }: SyncEntry): Pick<SyncResult, 'line' | 'from' | 'to'> {
  return { line, from: source.text, to: target.text };
}

function failure(error: unknown): Pick<SyncResult, 'status' | 'transferred' | 'reused' | 'error'> {
  return { status: 'failed', transferred: 0, reused: 0, error };
}
