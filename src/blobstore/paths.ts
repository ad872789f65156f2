// Where everything in a store is: the OCI image layout (image-spec image-layout.md) and our private folder beside it.
import { join } from 'node:path';
import { algorithmOf, type Digest, hexOf } from '../reference/digest.ts';

/** The private format's version is part of its path, so that two versions never share a file. */
export const STORE_VERSION = 1;

export interface StorePaths {
  root: string;
  layoutFile: string;
  indexFile: string;
  blobs: string;
  /** `ocitool/`, the parent of every version's folder. */
  versions: string;
  ingest: string;
  /** Uploads to `serve`, whose digest is not known yet. */
  uploads: string;
  layers: string;
  database: string;
  /** What manifests say, for listings. */
  documents: string;
  /** Flattened root file systems that containers run on; `prepared` holds what is known of their images. */
  trees: string;
  prepared: string;
  /** A folder for each container, and `names/`. */
  containers: string;
  networks: string;
  /** Named volumes of containers. */
  volumes: string;
  /** Which OCI runtimes work on this machine. */
  runtimes: string;
}

export function storePaths(root: string): StorePaths {
  const versions = join(root, 'ocitool');
  const own = join(versions, `v${STORE_VERSION}`);
  return {
    root,
    layoutFile: join(root, 'oci-layout'),
    indexFile: join(root, 'index.json'),
    blobs: join(root, 'blobs'),
    versions,
    ingest: join(own, 'ingest'),
    uploads: join(own, 'uploads'),
    layers: join(own, 'layers'),
    database: join(own, 'store.db'),
    documents: join(own, 'documents.db'),
    trees: join(own, 'rootfs'),
    prepared: join(own, 'rootfs', 'images'),
    containers: join(own, 'containers'),
    networks: join(own, 'networks'),
    volumes: join(own, 'volumes'),
    runtimes: join(own, 'runtimes.json'),
  };
}

export function blobPath(paths: StorePaths, digest: Digest): string {
  return join(paths.blobs, algorithmOf(digest), hexOf(digest));
}

/** The partial download of a blob; its lock is beside it. */
export function partialPath(paths: StorePaths, digest: Digest): string {
  return join(paths.ingest, `${algorithmOf(digest)}-${hexOf(digest)}`);
}

export function layerRecordPath(paths: StorePaths, digest: Digest): string {
  const algorithm = algorithmOf(digest);
  return join(paths.layers, `${algorithm === 'sha256' ? '' : `${algorithm}-`}${hexOf(digest)}.json`);
}
