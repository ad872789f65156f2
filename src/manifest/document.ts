// An image document's bytes become an index or a manifest here, whatever the server said they were.
import { OciError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { isObject, parseJson } from './json.ts';
import {
  DOCKER_SCHEMA1_SIGNED,
  isIndexType,
  isManifestType,
  isSchema1Type,
  mediaTypeOf,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts';
import { indexSchema, manifestSchema, validate } from './schema.ts';

/** The largest manifest or index we read, in bytes (distribution-spec, pushing manifests: 4 MiB). */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;

/** An OCI index or Docker manifest list (image-spec image-index.md). */
export interface ImageIndex {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  manifests: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

/** An OCI or Docker schema 2 manifest (image-spec manifest.md). */
export interface ImageManifest {
  schemaVersion: 2;
  mediaType?: string;
  artifactType?: string;
  config: Descriptor;
  layers: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

interface DocumentBase {
  /** The document's own type; by content when it does not say. */
  mediaType: string;
  /** The bytes as they came, which the digest is of. */
  raw: Buffer;
  /** One line for the user when the server and the document disagree. */
  warning?: string;
}

export type IndexDocument = DocumentBase & { kind: 'index'; index: ImageIndex };
export type ManifestDocumentOfImage = DocumentBase & { kind: 'manifest'; manifest: ImageManifest };
export type ManifestDocument = IndexDocument | ManifestDocumentOfImage;

export interface ParseDocumentOptions {
  /** The `Content-Type` the server gave. */
  contentType?: string | undefined;
  /** The descriptor it was fetched by; names the document in errors. */
  descriptor?: Descriptor | undefined;
}

/**
 * The index or manifest in `bytes`. When the server's type and the document's own differ, the document wins and a
 * warning says so; without a type the content decides.
 *
 * Throws MANIFEST_TOO_LARGE, MANIFEST_INVALID (which names the place, `layers[2].digest`), and UNSUPPORTED for schema 1.
 */
export function parseDocument(bytes: Uint8Array, options: ParseDocumentOptions = {}): ManifestDocument {
  const { descriptor } = options;
  const what = descriptor?.digest ?? 'manifest';
  if (bytes.length > MANIFEST_LIMIT) {
    throw new OciError(
      'MANIFEST_TOO_LARGE',
      `${what}: ${bytes.length} bytes; the limit is ${MANIFEST_LIMIT}`,
    );
  }
  const json = readJson(bytes, what);
  const own = typeof json.mediaType === 'string' ? json.mediaType : undefined;
  refuseSchema1(json, own, what);
  const kind = kindOf(json, own, what);
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const claimed = mediaTypeOf(options.contentType ?? descriptor?.mediaType ?? '');
  const mediaType = own ?? (known(claimed, kind) ? claimed : kind === 'index' ? OCI_INDEX : OCI_MANIFEST);
  const base: DocumentBase = { mediaType, raw };
  if (own !== undefined && claimed !== own && (isIndexType(claimed) || isManifestType(claimed))) {
    base.warning = `${what}: announced as ${claimed}, but it says it is ${own}`;
  }
  const schema: Parameters<typeof validate>[0] = kind === 'index' ? indexSchema : manifestSchema;
  const checked = validate(schema, json);
  if (!checked.ok) throw invalid(what, checked.problem);
  // The schemas and the interfaces name the same fields; a digest is branded by `isDigest` in the schema.
  return kind === 'index'
    ? { ...base, kind, index: checked.value as ImageIndex }
    : { ...base, kind, manifest: checked.value as ImageManifest };
}

/** The type of the document in `bytes` by its own word, else by content. Throws MANIFEST_INVALID, and UNSUPPORTED for schema 1. */
export function detectMediaType(bytes: Uint8Array): string {
  const what = 'manifest';
  const json = readJson(bytes, what);
  const own = typeof json.mediaType === 'string' ? json.mediaType : undefined;
  refuseSchema1(json, own, what);
  return own ?? (kindOf(json, own, what) === 'index' ? OCI_INDEX : OCI_MANIFEST);
}

function readJson(bytes: Uint8Array, what: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch (cause) {
    throw invalid(what, 'not JSON', cause);
  }
  if (!isObject(json)) throw invalid(what, 'not a JSON object');
  return json;
}

function refuseSchema1(json: Record<string, unknown>, own: string | undefined, what: string): void {
  if (json.schemaVersion !== 1 && !(own !== undefined && isSchema1Type(own))) return;
  throw new OciError('UNSUPPORTED', `${what}: a Docker schema 1 manifest (${own ?? DOCKER_SCHEMA1_SIGNED})`, {
    hint: 'the format was replaced in 2016; push the image again with a current docker, podman or skopeo',
  });
}

/** By content, checked against the document's own type. A document that could be read as both is refused (CVE-2021-41190). */
function kindOf(json: Record<string, unknown>, own: string | undefined, what: string): 'index' | 'manifest' {
  const isIndex = 'manifests' in json;
  const isManifest = 'config' in json || 'layers' in json;
  if (isIndex && isManifest) throw invalid(what, 'both an index and a manifest');
  if (!isIndex && !isManifest)
    throw invalid(what, 'neither an index (manifests) nor a manifest (config, layers)');
  const kind = isIndex ? 'index' : 'manifest';
  if (own !== undefined && (isIndexType(own) || isManifestType(own)) && !known(own, kind)) {
    throw invalid(what, `says it is ${own}, but has the fields of ${isIndex ? 'an index' : 'a manifest'}`);
  }
  return kind;
}

function known(mediaType: string, kind: 'index' | 'manifest'): boolean {
  return kind === 'index' ? isIndexType(mediaType) : isManifestType(mediaType);
}

function invalid(what: string, problem: string, cause?: unknown): OciError {
  return new OciError('MANIFEST_INVALID', `${what}: not a valid manifest: ${problem}`, {
    hint: 'the registry sent something else than an image; see it with: ocitool manifest',
    cause,
  });
}
