// What the manifests of a store say, as far as a listing of images needs it, kept by digest: it never goes out of date,
// and 10,000 images are listed without opening 20,000 files.
import type { Descriptor } from '../manifest/descriptor.ts';
import { isForeignLayerType } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import { type ConfigFacts, readConfigFacts } from './config-facts.ts';
import { readStoredDocument, type StoredDocument } from './documents.ts';
import { readKept, writeKept } from './kept.ts';
import type { StorePaths } from './paths.ts';

/** A document, and for a manifest what the image's config says; undefined when that cannot be read. */
export type KnownDocument = StoredDocument & { facts?: ConfigFacts | undefined };

export interface KnownDocuments {
  read(descriptor: Descriptor): KnownDocument | undefined;
  /** What is kept of a manifest, without objects for its blobs; undefined when it must be read. */
  row(digest: Digest): ManifestRow | undefined;
  /** Keeps what was read now. */
  close(): void;
}

/** Images from which on it pays to keep what is known of them. */
export const WORTH_KEEPING = 200;

/** The facts, then digest and size of the config and of each layer in turn: flat, because 10,000 are parsed at a time. */
export type ManifestRow = [facts: ConfigFacts, ...blobs: (Digest | number)[]];

/** How to read the documents of a store in which so many `images` are listed. */
export function openKnownDocuments(paths: StorePaths, images: number): KnownDocuments {
  if (images < WORTH_KEEPING) {
    return { read: (descriptor) => readDocument(paths, descriptor), row: () => undefined, close() {} };
  }
  const rows = load(paths);
  const fresh: [Digest, string][] = [];
  const used = new Set<string>();
  function rowOf(digest: Digest): ManifestRow | undefined {
    used.add(digest);
    const row = rows.get(digest);
    return row === undefined ? undefined : (JSON.parse(row) as ManifestRow);
  }
  return {
    row: rowOf,
    read(descriptor) {
      const { digest } = descriptor;
      const row = rowOf(digest);
      if (row !== undefined) return fromRow(row);
      const document = readDocument(paths, descriptor);
      const own = document && toRow(document);
      if (own !== undefined) fresh.push([digest, JSON.stringify(own)]);
      return document;
    },
    close() {
      const unused = [...rows.keys()].filter((digest) => !used.has(digest));
      if (fresh.length > 0 || unused.length > rows.size / 2) save(paths, fresh, unused);
    },
  };
}

function readDocument(paths: StorePaths, descriptor: Descriptor): KnownDocument | undefined {
  const document = readStoredDocument(paths, descriptor);
  return document?.kind === 'manifest'
    ? { ...document, facts: readConfigFacts(paths, document.config) }
    : document;
}

/** Undefined for what a row cannot hold: an index, a config that may be readable later, layers that may be elsewhere. */
function toRow(document: KnownDocument): ManifestRow | undefined {
  if (document.kind !== 'manifest' || document.facts === undefined) return undefined;
  const { facts, config, layers } = document;
  if (layers.some(({ mediaType }) => isForeignLayerType(mediaType))) return undefined;
  return [facts, ...[config, ...layers].flatMap(({ digest, size }) => [digest, size])];
}

function fromRow([facts, ...blobs]: ManifestRow): KnownDocument {
  const all: Descriptor[] = [];
  for (let i = 0; i < blobs.length; i += 2) {
    all.push({ mediaType: '', digest: blobs[i] as Digest, size: blobs[i + 1] as number });
  }
  const [config, ...layers] = all as [Descriptor, ...Descriptor[]];
  return { kind: 'manifest', mediaType: undefined, config, layers, facts };
}

function load(paths: StorePaths): Map<string, string> {
  const rows = readKept(paths, (database) => {
    const all = database.prepare('SELECT digest, row FROM manifests');
    all.setReturnArrays(true);
    return all.all() as unknown as [string, string][];
  });
  return new Map(rows);
}

function save(paths: StorePaths, fresh: readonly [Digest, string][], unused: readonly string[]): void {
  writeKept(paths, (database) => {
    const insert = database.prepare('INSERT OR REPLACE INTO manifests VALUES (?, ?)');
    for (const [digest, row] of fresh) insert.run(digest, row);
    const remove = database.prepare('DELETE FROM manifests WHERE digest = ?');
    for (const digest of unused) remove.run(digest);
  });
}
