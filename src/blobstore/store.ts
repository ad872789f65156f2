// The shelf: an OCI image layout on disk that any tool reads, plus the private folder `ocitool/v1/` beside its blobs.
import { resolve as absolutePath } from 'node:path';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../manifest/media-types.ts';
import type {
  BlobLocation,
  ImageTarget,
  Ingest,
  Listing,
  LocalBlobs,
  ReferrerTarget,
  Referring,
} from '../place/place.ts';
import type { LongOptions } from '../place/progress.ts';
import { readRange } from '../place/read-range.ts';
import { wrapIngest } from '../place/wrap-ingest.ts';
import type { Digest } from '../reference/digest.ts';
import {
  familiarReference,
  formatReference,
  formatRepository,
  type Reference,
} from '../reference/reference.ts';
import { hasBlob, sizeOf } from './blob-files.ts';
import { checkStore, type StoreCheck } from './check.ts';
import { readStoredDocument } from './documents.ts';
import { type SweepOptions, type Swept, sweepStore } from './gc.ts';
import { createHashThread } from './hash-thread.ts';
import { nameOfKey } from './index-file.ts';
import { openIngest } from './ingest.ts';
import { createKeeper } from './keep.ts';
import { type LayerRecord, readLayerRecord, writeLayerRecord } from './layer-records.ts';
import { ensureLayout, inspectLayout } from './layout.ts';
import { candidateNames } from './names.ts';
import { blobPath, type StorePaths, storePaths } from './paths.ts';
import { findRef, listRefs, removeRef, setRef } from './refs.ts';
import { type PushedManifest, recordPushed } from './served.ts';
import { openUpload, type Upload } from './upload.ts';
import { type StoreUsage, storeUsage } from './usage.ts';

export interface OpenStoreOptions {
  /** Make the layout at the first write when `dir` is missing or empty (default). False: throw STORE_INVALID then. */
  create?: boolean;
  /** Refuse every write with PERMISSION. */
  readOnly?: boolean;
}

/** A store of images. Nothing is kept open between calls, so there is nothing to close. */
export interface BlobStore extends ImageTarget, LocalBlobs, Listing, Referring, ReferrerTarget {
  /** Absolute. */
  readonly dir: string;
  readonly readOnly: boolean;
  /**
   * Takes a name away (a string as `list` gives it, `@digest` for an image without one); its blobs stay until gc.
   * False when there was no such name.
   */
  untag(name: Reference | string): Promise<boolean>;
  /** Where the blob is, or will be when it arrives. */
  locationOf(descriptor: Descriptor): BlobLocation;
  /** A blob whose digest comes last. */
  upload(): Upload;
  /** Keeps a manifest for `serve` though it has no name. Throws BLOB_NOT_FOUND when gc has taken a part of it. */
  hold(manifest: PushedManifest): Promise<void>;
  /** What is known of a layer that was read once. */
  layerRecord(digest: Digest): Promise<LayerRecord | undefined>;
  saveLayerRecord(record: LayerRecord): Promise<void>;
  check(options?: LongOptions): Promise<StoreCheck>;
  usage(): Promise<StoreUsage>;
  /** Removes what nothing leads to; safe beside pulls. Throws STORE_INVALID, PERMISSION, ABORTED. */
  gc(options?: SweepOptions): Promise<Swept>;
}

/**
 * Opens a store. Reading from one that does not exist yet finds nothing, and leaves nothing behind.
 * Throws STORE_VERSION when a newer ocitool wrote it, STORE_INVALID when `dir` is something else.
 */
export async function openStore(dir: string, options: OpenStoreOptions = {}): Promise<BlobStore> {
  const paths = storePaths(absolutePath(dir));
  const readOnly = options.readOnly ?? false;
  if (!inspectLayout(paths) && options.create === false) {
    throw new OciError('STORE_INVALID', `${paths.root}: there is no store here`, {
      hint: 'pull an image to make one, or choose another with --store or $OCITOOL_STORE',
    });
  }

  const keeper = createKeeper(paths);
  const hashing = createHashThread();

  /** The ingest, telling the keeper. */
  function watched(ingest: Ingest, { digest }: Descriptor): Ingest {
    return wrapIngest(ingest, {
      write(chunk) {
        keeper.beat();
        return ingest.write(chunk);
      },
      async commit() {
        await ingest.commit();
        keeper.written(digest);
      },
    });
  }

  /** Before every write: a newer ocitool may have taken the store over since it was opened. */
  function prepareWrite(): void {
    if (readOnly) {
      throw new OciError('PERMISSION', `${paths.root}: the store was opened for reading only`);
    }
    ensureLayout(paths);
  }

  function locationOf({ digest, size }: Descriptor): BlobLocation {
    return { path: blobPath(paths, digest), offset: 0, size };
  }

  function locate(descriptor: Descriptor): BlobLocation {
    if (!hasBlob(paths, descriptor)) {
      throw new OciError('BLOB_NOT_FOUND', `${descriptor.digest}: not in the store ${paths.root}`);
    }
    return locationOf(descriptor);
  }

  return {
    dir: paths.root,
    readOnly,
    async resolve(name) {
      return (
        findRef(paths, candidateNames(name)) ?? findByDigest(paths, name.digest) ?? notFound(paths, name)
      );
    },
    async fetch(descriptor, { offset = 0, signal } = {}) {
      return readRange(locate(descriptor), offset, signal);
    },
    async locate(descriptor) {
      return locate(descriptor);
    },
    locationOf: (descriptor) => locationOf(descriptor),
    async has(descriptor) {
      if (!hasBlob(paths, descriptor)) return false;
      keeper.seen(descriptor.digest);
      return true;
    },
    async ingest(descriptor, { signal } = {}) {
      keeper.beat();
      if (readOnly && hasBlob(paths, descriptor)) return undefined;
      prepareWrite();
      if (await keeper.keep(descriptor, signal)) return undefined;
      const ingest = await openIngest(paths, descriptor, () => hasBlob(paths, descriptor), hashing, signal);
      return ingest === undefined ? undefined : watched(ingest, descriptor);
    },
    async tag(descriptor, name) {
      prepareWrite();
      const confirm = await keeper.name(descriptor);
      await setRef(paths, formatReference(name), descriptor, confirm);
    },
    async untag(name) {
      prepareWrite();
      if (typeof name === 'string') return removeRef(paths, name);
      for (const candidate of candidateNames(name)) if (await removeRef(paths, candidate)) return true;
      return false;
    },
    async list() {
      return listRefs(paths).map(({ key, descriptor }) => ({ name: nameOfKey(key), descriptor }));
    },
    upload() {
      prepareWrite();
      return openUpload(paths);
    },
    async hold(manifest) {
      prepareWrite();
      await recordPushed(paths, manifest, await keeper.name(manifest.descriptor));
    },
    async referrers(subject, { artifactType } = {}) {
      const { storedReferrers } = await import('./referrers.ts');
      return storedReferrers(paths, subject, artifactType);
    },
    async refer(descriptor, name) {
      prepareWrite();
      const { pushedReferrer } = await import('./referrers.ts');
      const manifest = pushedReferrer(paths, descriptor, formatRepository(name));
      await recordPushed(paths, manifest, await keeper.name(descriptor));
    },
    async layerRecord(digest) {
      return readLayerRecord(paths, digest);
    },
    async saveLayerRecord(record) {
      prepareWrite();
      writeLayerRecord(paths, record);
    },
    check: (checkOptions) => checkStore(paths, checkOptions),
    usage: async () => storeUsage(paths),
    async gc(sweepOptions) {
      if (sweepOptions?.dryRun !== true) prepareWrite();
      return sweepStore(paths, sweepOptions);
    },
  };
}

/** A document the store holds is what its digest says, whichever repository it came from. */
function findByDigest(paths: StorePaths, digest: Digest | undefined): Descriptor | undefined {
  if (digest === undefined) return undefined;
  const size = sizeOf(blobPath(paths, digest));
  const document = size === 0 ? undefined : readStoredDocument(paths, { mediaType: '', digest, size });
  if (document === undefined) return undefined;
  return {
    mediaType: document.mediaType ?? (document.kind === 'index' ? OCI_INDEX : OCI_MANIFEST),
    digest,
    size,
  };
}

function notFound(paths: StorePaths, name: Reference): never {
  throw new OciError('IMAGE_NOT_FOUND', `${formatReference(name)}: not in the store ${paths.root}`, {
    hint: `get it with: ocitool pull ${familiarReference(name)}`,
  });
}
