// What the manifests of a store say, as far as a listing of images needs it, kept by digest: it never goes out of date,
// and 10,000 images are listed without opening 20,000 files. A convenience that may be lost at any time.
import { existsSync, rmSync } from 'node:fs';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isForeignLayerType } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import { type ConfigFacts, readConfigFacts } from './config-facts.ts';
import { DatabaseSync, isBusy } from './database.ts';
import { readStoredDocument, type StoredDocument } from './documents.ts';
import type { StorePaths } from './paths.ts';

/** A document, and for a manifest what the image's config says. */
export type KnownDocument = StoredDocument & { facts?: ConfigFacts | undefined };

export interface KnownDocuments {
  read(descriptor: Descriptor): KnownDocument | undefined;
  /** Keeps what was read now. */
  close(): void;
}

/** Images from which on it pays. */
const WORTH_KEEPING = 200;

/** The facts, then digest and size of the config and of each layer in turn: flat, because 10,000 are parsed at a time. */
type Row = [facts: ConfigFacts | null, ...blobs: (Digest | number)[]];

/** How to read the documents of a store in which so many `images` are listed. */
export function openKnownDocuments(paths: StorePaths, images: number): KnownDocuments {
  if (images < WORTH_KEEPING) return { read: (descriptor) => readDocument(paths, descriptor), close() {} };
  const rows = load(paths);
  const fresh: [Digest, string][] = [];
  const used = new Set<string>();
  return {
    read(descriptor) {
      const { digest } = descriptor;
      const row = rows.get(digest);
      used.add(digest);
      if (row !== undefined) return fromRow(JSON.parse(row) as Row);
      const document = readDocument(paths, descriptor);
      if (document !== undefined && isPlain(document)) fresh.push([digest, JSON.stringify(toRow(document))]);
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

type Manifest = Extract<KnownDocument, { kind: 'manifest' }>;

/** True for what a row can hold: an image's manifest whose layers are all to be found here. */
function isPlain(document: KnownDocument): document is Manifest {
  return (
    document.kind === 'manifest' &&
    document.facts !== undefined &&
    !document.layers.some(({ mediaType }) => isForeignLayerType(mediaType))
  );
}

function toRow({ facts, config, layers }: Manifest): Row {
  return [facts ?? null, ...[config, ...layers].flatMap(({ digest, size }) => [digest, size])];
}

function fromRow([facts, ...blobs]: Row): KnownDocument {
  const all: Descriptor[] = [];
  for (let i = 0; i < blobs.length; i += 2) {
    all.push({ mediaType: '', digest: blobs[i] as Digest, size: blobs[i + 1] as number });
  }
  const [config, ...layers] = all as [Descriptor, ...Descriptor[]];
  return { kind: 'manifest', mediaType: undefined, config, layers, facts: facts ?? undefined };
}

const SCHEMA =
  'CREATE TABLE IF NOT EXISTS manifests (digest TEXT PRIMARY KEY, row TEXT NOT NULL) WITHOUT ROWID';

function load(paths: StorePaths): Map<string, string> {
  if (!existsSync(paths.documents)) return new Map();
  try {
    const database = new DatabaseSync(paths.documents, { readOnly: true });
    try {
      const all = database.prepare('SELECT digest, row FROM manifests');
      all.setReturnArrays(true);
      return new Map(all.all() as unknown as [string, string][]);
    } finally {
      database.close();
    }
  } catch (error) {
    // Damaged, or of a process that died: it is made again.
    if (!isBusy(error)) rmSync(paths.documents, { force: true });
    return new Map();
  }
}

function save(paths: StorePaths, fresh: readonly [Digest, string][], unused: readonly string[]): void {
  try {
    const database = new DatabaseSync(paths.documents, { timeout: 0 });
    try {
      database.exec(`BEGIN IMMEDIATE; ${SCHEMA}`);
      const insert = database.prepare('INSERT OR REPLACE INTO manifests VALUES (?, ?)');
      for (const [digest, row] of fresh) insert.run(digest, row);
      const remove = database.prepare('DELETE FROM manifests WHERE digest = ?');
      for (const digest of unused) remove.run(digest);
      database.exec('COMMIT');
    } finally {
      database.close();
    }
  } catch {
    // Somebody else is at it, or the store is another user's, or the disk is full.
  }
}
