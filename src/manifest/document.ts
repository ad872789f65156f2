// An image document's bytes become an index or a manifest here, whatever the server said they were.
import { OciError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';
import { parseObject } from './json.ts';
import { MANIFEST_LIMIT } from './limits.ts';
import {
  DOCKER_CONFIG,
  DOCKER_MANIFEST,
  DOCKER_SCHEMA1,
  DOCKER_SCHEMA1_SIGNED,
  isIndexType,
  isManifestType,
  isSchema1Type,
  mediaTypeOf,
  OCI_INDEX,
  OCI_MANIFEST,
} from './media-types.ts';
import { checkShape, indexSchema, manifestSchema } from './schema.ts';

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
  /** Lowest first. */
  layers: Descriptor[];
  subject?: Descriptor;
  annotations?: Record<string, string>;
}

interface ParsedDocument {
  /** The document's own type; found by content when it does not say. */
  mediaType: string;
  /** The bytes as they came, which the digest is of. */
  raw: Buffer;
  /** One line for people, when the document is not what the server or the descriptor called it. */
  warning?: string;
}

/** An index or a manifest. */
export type ManifestDocument = ParsedDocument &
  ({ kind: 'index'; index: ImageIndex } | { kind: 'manifest'; manifest: ImageManifest });

/** What is known of a document beside its bytes. */
export interface ParseDocumentOptions {
  /** The `Content-Type` the server gave; parameters are ignored. */
  contentType?: string | undefined;
  /** What it was fetched by: its digest names the document in errors, its type is compared as `contentType` is. */
  descriptor?: Descriptor | undefined;
}

/**
 * The index or manifest in `bytes`. The document's own media type wins over what the server says (a warning tells);
 * without one the members decide, and a document that could be read as both is refused (CVE-2021-41190).
 * Throws MANIFEST_TOO_LARGE, MANIFEST_INVALID (naming the member), and UNSUPPORTED for Docker schema 1, for types that are
 * no image's, and for digests that cannot be verified.
 */
export function parseDocument(bytes: Uint8Array, options: ParseDocumentOptions = {}): ManifestDocument {
  const name = options.descriptor?.digest ?? 'the manifest';
  if (bytes.length > MANIFEST_LIMIT) {
    throw new OciError(
      'MANIFEST_TOO_LARGE',
      `${name}: a document of ${bytes.length} bytes; the limit is ${MANIFEST_LIMIT}`,
    );
  }
  const json = parseObject(bytes, name, 'MANIFEST_INVALID');
  const told = mediaTypeOf(options.contentType ?? options.descriptor?.mediaType ?? '');
  const mediaType = documentType(json, name, told);
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const differs = told !== mediaType && (isIndexType(told) || isManifestType(told) || isSchema1Type(told));
  const parsed: ParsedDocument = differs
    ? { mediaType, raw, warning: `${name} was announced as ${told}, but is ${mediaType}` }
    : { mediaType, raw };
  return isIndexType(mediaType)
    ? { ...parsed, kind: 'index', index: checkShape(indexSchema, json, name, 'MANIFEST_INVALID') }
    : { ...parsed, kind: 'manifest', manifest: checkShape(manifestSchema, json, name, 'MANIFEST_INVALID') };
}

/**
 * The media type of a document by what it says and, where it does not say, by its members; `told` then chooses between
 * OCI and Docker. Throws MANIFEST_INVALID when it is neither index nor manifest or both, UNSUPPORTED when it is something else.
 */
export function documentType(json: Record<string, unknown>, name: string, told = ''): string {
  refuseOtherSpellings(json, name);
  const declared = typeof json.mediaType === 'string' ? json.mediaType : '';
  refuseSchema1(json, declared, name);
  const kind = kindByMembers(json, name);
  if (declared !== '') {
    refuseOtherKind(declared, kind, name);
    return declared;
  }
  if (kind === undefined) {
    throw new OciError('MANIFEST_INVALID', `${name}: it is neither an index nor a manifest`, {
      hint: 'an index has manifests, a manifest has config and layers; this document has none of them',
    });
  }
  if (kind === 'index') return isIndexType(told) ? told : OCI_INDEX;
  if (isManifestType(told)) return told;
  return mediaTypeMember(json.config) === DOCKER_CONFIG ? DOCKER_MANIFEST : OCI_MANIFEST;
}

function refuseSchema1(json: Record<string, unknown>, declared: string, name: string): void {
  if (json.schemaVersion !== 1 && !isSchema1Type(declared)) return;
  const type = declared || ('signatures' in json ? DOCKER_SCHEMA1_SIGNED : DOCKER_SCHEMA1);
  throw new OciError(
    'UNSUPPORTED',
    `${name}: a Docker schema 1 manifest (${type}), a format replaced in 2016`,
    {
      hint: 'ask its publisher for a current image, or push it again with a current docker, podman or skopeo',
    },
  );
}

/** Members that decide what a document is and what it holds. */
const DECISIVE = [
  'schemaVersion',
  'mediaType',
  'config',
  'layers',
  'manifests',
  'subject',
  'fsLayers',
  'history',
];
const BY_FOLDED_NAME = new Map(DECISIVE.map((member) => [folded(member), member]));

/** Go's readers take `Layers` for `layers`, even beside it, where it then wins; we would not see it. */
function refuseOtherSpellings(json: Record<string, unknown>, name: string): void {
  for (const key of Object.keys(json)) {
    const member = BY_FOLDED_NAME.get(folded(key));
    if (member === undefined || member === key) continue;
    throw ambiguous(`${name}: ${JSON.stringify(key)} is ${member} to some readers, and nothing to others`);
  }
}

/** As Go compares names: ſ and the Kelvin sign are the letters they look like. */
function folded(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** What its members make it. Some readers go by members alone, so a document with those of two kinds is refused. */
function kindByMembers(json: Record<string, unknown>, name: string): 'index' | 'manifest' | undefined {
  const has = (member: string): boolean => json[member] !== undefined && json[member] !== null;
  const isIndex = has('manifests');
  const isManifest = has('config') || has('layers');
  const isSchema1 = has('fsLayers') || has('history');
  if (isIndex && isManifest) throw ambiguous(`${name}: it can be read as both an index and a manifest`);
  if (isSchema1 && (isIndex || isManifest)) {
    throw ambiguous(`${name}: it can be read as both schema 1 and schema 2`);
  }
  return isIndex ? 'index' : isManifest ? 'manifest' : undefined;
}

function refuseOtherKind(declared: string, kind: 'index' | 'manifest' | undefined, name: string): void {
  if (!isIndexType(declared) && !isManifestType(declared)) {
    throw new OciError('UNSUPPORTED', `${name}: ${declared.slice(0, 200)} is no type of an image`, {
      hint: 'images are OCI indexes and manifests, and Docker manifest lists and schema 2 manifests',
    });
  }
  if (kind !== undefined && (kind === 'index') !== isIndexType(declared)) {
    const fields = kind === 'index' ? 'an index' : 'a manifest';
    throw ambiguous(`${name}: it says it is ${declared}, but has the fields of ${fields}`);
  }
}

function ambiguous(message: string): OciError {
  return new OciError('MANIFEST_INVALID', message, {
    hint: 'tools would disagree on what it is; do not trust it (CVE-2021-41190)',
  });
}

function mediaTypeMember(config: unknown): unknown {
  return typeof config === 'object' && config !== null && 'mediaType' in config
    ? config.mediaType
    : undefined;
}
