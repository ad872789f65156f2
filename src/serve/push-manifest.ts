// A manifest on its way in: checked as bytes, as a document, and against what the store holds, then stored and named.
import type { IncomingMessage } from 'node:http';
import { hasBlob } from '../blobstore/blob-files.ts';
import { asDescriptor } from '../blobstore/descriptor-guard.ts';
import { parseStoredDocument, type StoredDocument } from '../blobstore/documents.ts';
import { storePaths } from '../blobstore/paths.ts';
import type { BlobStore } from '../blobstore/store.ts';
import { isOciError } from '../errors.ts';
import { isRecord, parseJson } from '../json.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { isForeignLayerType, isIndexType, isManifestType, mediaTypeOf } from '../manifest/media-types.ts';
import { writeSmall } from '../place/write-small.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../reference/digest.ts';
import { Refusal } from './answer.ts';

/** A manifest that the store holds now. */
export interface ReceivedManifest {
  /** With `artifactType` and `annotations` as a list of referrers shows them. */
  descriptor: Descriptor;
  subject: Digest | undefined;
}

/** Takes in the request's body as the manifest `reference` (a tag or its digest) and stores it. Throws `Refusal`. */
export async function receiveManifest(
  store: BlobStore,
  request: IncomingMessage,
  reference: string,
): Promise<ReceivedManifest> {
  const raw = await readBody(request);
  const digest = isDigest(reference) ? digestOf(raw, algorithmOf(reference)) : digestOf(raw);
  if (isDigest(reference) && reference !== digest) {
    throw new Refusal(400, 'DIGEST_INVALID', `the manifest has the digest ${digest}`);
  }
  const text = raw.toString('utf8');
  const json = parseJson(text);
  const document = parseStoredDocument(text);
  if (document === undefined || !isRecord(json)) {
    throw new Refusal(400, 'MANIFEST_INVALID', 'not an image manifest or index');
  }
  const mediaType = mediaTypeIn(request, document);
  checkParts(store, document);
  await writeSmall(store, { mediaType, digest, size: raw.length }, raw);
  const { artifactType, annotations } = json;
  const shown = typeof artifactType === 'string' && artifactType !== '' ? artifactType : configType(document);
  return {
    descriptor: {
      mediaType,
      digest,
      size: raw.length,
      ...(shown === undefined ? {} : { artifactType: shown }),
      ...(isRecord(annotations) ? { annotations: annotations as Record<string, string> } : {}),
    },
    subject: asDescriptor(json.subject)?.digest,
  };
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MANIFEST_LIMIT) throw new Refusal(413, 'MANIFEST_INVALID', 'the manifest is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What header and document say, which must not be two things. */
function mediaTypeIn(request: IncomingMessage, document: StoredDocument): string {
  const told = mediaTypeOf(request.headers['content-type'] ?? '');
  const mediaType = document.mediaType ?? told;
  const known = document.kind === 'index' ? isIndexType(mediaType) : isManifestType(mediaType);
  if (known && (told === '' || told === mediaType)) return mediaType;
  throw new Refusal(
    400,
    'MANIFEST_INVALID',
    `not the type of ${document.kind === 'index' ? 'an index' : 'a manifest'}: ${told.slice(0, 100)}`,
  );
}

/** A manifest needs all its blobs, an index one of its images: one platform may be all that is mirrored. */
function checkParts(store: BlobStore, document: StoredDocument): void {
  const paths = storePaths(store.dir);
  const isMissing = (part: Descriptor): boolean => !hasBlob(paths, part);
  if (document.kind === 'index') {
    const [first] = document.manifests;
    if (first === undefined || !document.manifests.every(isMissing)) return;
    throw new Refusal(
      404,
      'MANIFEST_BLOB_UNKNOWN',
      `none of the index's manifests is here, ${first.digest} for one`,
    );
  }
  const missing = [document.config, ...document.layers].find(
    (part) => !isForeignLayerType(part.mediaType) && isMissing(part),
  );
  if (missing !== undefined) {
    throw new Refusal(404, 'MANIFEST_BLOB_UNKNOWN', `${missing.digest} was not pushed, or has another size`);
  }
}

function configType(document: StoredDocument): string | undefined {
  return document.kind === 'manifest' ? document.config.mediaType : undefined;
}

/** gc took a part between our look and the name: the client pushes it again. */
export function refusalOf(error: unknown): unknown {
  return isOciError(error, 'BLOB_NOT_FOUND')
    ? new Refusal(404, 'MANIFEST_BLOB_UNKNOWN', error.message)
    : error;
}
