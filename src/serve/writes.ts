// The writing half of the distribution-spec: push, mount, delete. Blobs are shared by all repositories of the store, so
// a blob deleted from one is only marked as gone there; gc frees what nothing leads to.
import type { IncomingMessage } from 'node:http';
import { hasBlob, sizeOf } from '../blobstore/blob-files.ts';
import { blobPath, storePaths } from '../blobstore/paths.ts';
import { isRemoved, recordRemoved, recordRestored } from '../blobstore/served.ts';
import type { BlobStore } from '../blobstore/store.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { isTag } from '../reference/grammar.ts';
import { formatReference } from '../reference/reference.ts';
import { type Answer, emptyAnswer, Refusal } from './answer.ts';
import type { Tags } from './catalog.ts';
import { storeReference, storeRepository } from './names.ts';
import { receiveManifest, refusalOf } from './push-manifest.ts';
import { createUploads, type Uploads } from './uploads.ts';

/** Tags that one request may set. */
const MOST_TAGS = 100;

export interface Writes {
  /** POST of an upload, which may be a mount instead. */
  begin(name: string, query: URLSearchParams, request: IncomingMessage): Promise<Answer>;
  uploads: Uploads;
  /** A manifest put by digest takes the tags in `query` too (distribution-spec 1.2). */
  putManifest(
    name: string,
    reference: string,
    query: URLSearchParams,
    request: IncomingMessage,
  ): Promise<Answer>;
  /** `tags` are those the repository shows, `exists` tells whether it has the digest. */
  deleteManifest(name: string, reference: string, tags: Tags | undefined, exists: boolean): Promise<Answer>;
  deleteBlob(name: string, digest: string): Promise<Answer>;
}

export function createWrites(store: BlobStore): Writes {
  const paths = storePaths(store.dir);
  const restore = (name: string, digest: Digest): Promise<void> =>
    recordRestored(paths, storeRepository(name), digest);
  const uploads = createUploads(store, restore);

  /** Mounts a blob when any repository has it, or the one that is named; undefined when not. */
  async function mount(name: string, digest: string, from: string | null): Promise<Answer | undefined> {
    if (!isDigest(digest) || !hasBlobNow(digest)) return undefined;
    if (from !== null && isRemoved(paths, storeRepository(from), digest)) return undefined;
    const size = sizeOf(blobPath(paths, digest));
    // Keeps gc off it until the manifest comes.
    const ingest = await store.ingest({ mediaType: 'application/octet-stream', digest, size });
    if (ingest !== undefined) {
      await ingest.suspend();
      return undefined;
    }
    await restore(name, digest);
    return emptyAnswer(201, { location: `/v2/${name}/blobs/${digest}`, 'docker-content-digest': digest });
  }

  function hasBlobNow(digest: Digest): boolean {
    const size = sizeOf(blobPath(paths, digest));
    return hasBlob(paths, { mediaType: '', digest, size });
  }

  return {
    uploads,
    async begin(name, query, request) {
      storeRepository(name);
      const wanted = query.get('mount');
      const mounted = wanted === null ? undefined : await mount(name, wanted, query.get('from'));
      return mounted ?? uploads.begin(name, query.get('digest'), request);
    },
    async putManifest(name, reference, query, request) {
      const tags = isDigest(reference) ? query.getAll('tag') : [reference];
      if (tags.length > MOST_TAGS || !tags.every(isTag)) {
        throw new Refusal(
          400,
          reference.includes(':') ? 'DIGEST_INVALID' : 'MANIFEST_INVALID',
          'not a tag or digest',
        );
      }
      const repository = storeRepository(name);
      const { descriptor, subject } = await receiveManifest(store, request, reference);
      const { mediaType, digest, size } = descriptor;
      try {
        for (const tag of tags) {
          await store.tag({ mediaType, digest, size }, storeReference(name, tag));
        }
        if (isDigest(reference) || subject !== undefined) {
          await store.hold({ repository, descriptor, subject });
        } else await recordRestored(paths, repository, digest);
      } catch (error) {
        throw refusalOf(error);
      }
      return emptyAnswer(201, {
        location: `/v2/${name}/manifests/${digest}`,
        'docker-content-digest': digest,
        ...(subject === undefined ? {} : { 'oci-subject': subject }),
        ...(isDigest(reference) && tags.length > 0 ? { 'oci-tag': tags } : {}),
      });
    },
    async deleteManifest(name, reference, tags, exists) {
      const gone = new Refusal(
        404,
        'MANIFEST_UNKNOWN',
        `no manifest ${reference.slice(0, 150)} in this repository`,
      );
      if (!isDigest(reference)) {
        if (!isTag(reference) || !(await untag(name, reference))) throw gone;
        return emptyAnswer(202);
      }
      if (!exists) throw gone;
      for (const [tag, { digest }] of tags ?? []) if (digest === reference) await untag(name, tag);
      await recordRemoved(paths, storeRepository(name), reference);
      return emptyAnswer(202);
    },
    async deleteBlob(name, digest) {
      if (!isDigest(digest)) throw new Refusal(400, 'DIGEST_INVALID', 'not a digest');
      const repository = storeRepository(name);
      if (!hasBlobNow(digest) || isRemoved(paths, repository, digest)) {
        throw new Refusal(404, 'BLOB_UNKNOWN', `no blob ${digest} in this repository`);
      }
      await recordRemoved(paths, repository, digest);
      return emptyAnswer(202);
    },
  };

  /** Only the name that a push would have made: another image that is served under this name as well stays. */
  function untag(name: string, tag: string): Promise<boolean> {
    return store.untag(formatReference(storeReference(name, tag)));
  }
}
