// An image document's bytes become an index or a manifest here, whatever the server said they were.
import { OciError } from '../errors.ts';
import type { Descriptor } from './descriptor.ts';

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

export function parseDocument(_bytes: Uint8Array, _options: ParseDocumentOptions = {}): ManifestDocument {
  throw new OciError('UNSUPPORTED', 'not yet');
}
