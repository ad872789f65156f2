// Images that come into the store piece by piece, in the order a client of `serve --proxy` asks for them: their documents
// wait here until all they lead to has arrived, because the store names nothing that it does not hold.
import { parseStoredDocument, type StoredDocument } from '../blobstore/documents.ts';
import type { BlobStore } from '../blobstore/store.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isForeignLayerType } from '../manifest/media-types.ts';
import { writeSmall } from '../place/write-small.ts';
import type { Digest } from '../reference/digest.ts';
import {
  formatReference,
  formatRepository,
  type Reference,
  type Repository,
} from '../reference/reference.ts';
import { createRecent } from './recent.ts';

export interface Incoming {
  /** A document that was read from the repository; not in the store yet. */
  add(repository: Repository, descriptor: Descriptor, raw: Buffer): void;
  /** A document of the store that was given out. */
  note(repository: Repository, raw: Buffer): void;
  /** One that waits here. */
  document(digest: Digest): { descriptor: Descriptor; raw: Buffer } | undefined;
  /** A blob that a document named. */
  blob(digest: Digest): Descriptor | undefined;
  /** True for what a tag or an index of the repository leads to: it needs no name of its own. */
  isPart(repository: Repository, digest: Digest): boolean;
  /** Lets the name stand for the image as soon as it is whole; the root's size may be a HEAD's. */
  name(reference: Reference, root: Descriptor): Promise<void>;
  /** Something has arrived: stores and names what is whole now. */
  settle(): Promise<void>;
}

interface Waiting {
  descriptor: Descriptor;
  raw: Buffer;
  document: StoredDocument;
}

/** What waits, at most: bytes of documents, and names. The oldest goes: its image gets no name in the store. */
const DOCUMENT_BYTES = 32 << 20;
const NAMES = 500;
/** A name that is asked for is set again this often, milliseconds: gc goes by the age of names. */
const NAMED_MS = 3_600_000;
/** What is remembered of documents that came by. */
const PARTS = 50_000;

export function createIncoming(store: BlobStore): Incoming {
  const waiting = new Map<Digest, Waiting>();
  const names = new Map<string, { reference: Reference; root: Descriptor }>();
  const blobs = createRecent<Descriptor>({ most: PARTS });
  /** What each name stands for in the store since it was set here. */
  const named = createRecent<Digest>({ most: PARTS, ms: NAMED_MS });
  const parts = createRecent<true>({ most: PARTS });
  let bytes = 0;
  let settling: Promise<void> = Promise.resolve();

  function drop(digest: Digest): void {
    bytes -= waiting.get(digest)?.raw.length ?? 0;
    waiting.delete(digest);
  }

  function note(repository: Repository, raw: Buffer): StoredDocument | undefined {
    const document = parseStoredDocument(raw.toString('utf8'));
    if (document?.kind === 'index') {
      for (const { digest } of document.manifests) parts.set(keyOf(repository, digest), true);
    } else if (document !== undefined) {
      for (const blob of [document.config, ...document.layers]) blobs.set(blob.digest, blob);
    }
    return document;
  }

  /** A manifest with all its blobs, an index with one of its images: what the store may hold. */
  async function isWhole({ document }: Waiting): Promise<boolean> {
    const has = (part: Descriptor): Promise<boolean> => store.has(part);
    if (document.kind === 'index') {
      for (const child of document.manifests) if (await has(child)) return true;
      return document.manifests.length === 0;
    }
    for (const blob of [document.config, ...document.layers]) {
      if (!isForeignLayerType(blob.mediaType) && !(await has(blob))) return false;
    }
    return true;
  }

  async function settleNow(): Promise<void> {
    for (let changed = true; changed; ) {
      changed = false;
      for (const one of [...waiting.values()]) {
        if (!(await isWhole(one))) continue;
        await writeSmall(store, one.descriptor, one.raw);
        drop(one.descriptor.digest);
        changed = true;
      }
    }
    for (const [key, { reference, root }] of [...names]) {
      if (!(await store.has(root))) continue;
      names.delete(key);
      await store.tag(root, reference);
      named.set(key, root.digest);
    }
  }

  /** One after the other; a failure is told to whoever waits and does not stop the next. */
  function settle(): Promise<void> {
    settling = settling.catch(() => {}).then(settleNow);
    return settling;
  }

  return {
    add(repository, descriptor, raw) {
      const document = note(repository, raw);
      for (const name of names.values()) if (name.root.digest === descriptor.digest) name.root = descriptor;
      if (document === undefined || waiting.has(descriptor.digest)) return;
      waiting.set(descriptor.digest, { descriptor, raw, document });
      bytes += raw.length;
      for (const oldest of waiting.keys()) {
        if (bytes <= DOCUMENT_BYTES || oldest === descriptor.digest) break;
        drop(oldest);
      }
    },
    note: (repository, raw) => void note(repository, raw),
    document: (digest) => waiting.get(digest),
    blob: (digest) => blobs.get(digest),
    isPart: (repository, digest) => parts.get(keyOf(repository, digest)) === true,
    async name(reference, root) {
      const key = formatReference(reference);
      if (reference.tag !== undefined) parts.set(keyOf(reference, root.digest), true);
      if (named.get(key) === root.digest && (await store.has(root))) return;
      names.delete(key);
      names.set(key, { reference, root });
      const [oldest] = names.keys();
      if (names.size > NAMES && oldest !== undefined) names.delete(oldest);
      await settle();
    },
    settle,
  };
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${formatRepository(repository)}@${digest}`;
}
