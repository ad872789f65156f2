// The edges of the image graph as the store's own upkeep needs them: which blobs a document leads to.
import { readFileSync } from 'node:fs';
import { isRecord, parseJson } from '../json.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { isForeignLayerType } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import { asDescriptor } from './descriptor-guard.ts';
import { blobPath, type StorePaths } from './paths.ts';

/** Indexes may nest; deeper than this is damage or an attack. */
const MAX_DEPTH = 8;

/** A document of the store, as far as it leads on. */
export type StoredDocument = { mediaType: string | undefined } & (
  | { kind: 'index'; manifests: Descriptor[] }
  | { kind: 'manifest'; config: Descriptor; layers: Descriptor[] }
);

/** The index or manifest in these bytes, undefined when they are something else. */
export function parseStoredDocument(text: string): StoredDocument | undefined {
  const json = parseJson(text);
  if (!isRecord(json)) return undefined;
  const mediaType = typeof json.mediaType === 'string' ? json.mediaType : undefined;
  if (Array.isArray(json.manifests)) {
    const manifests = descriptors(json.manifests);
    return manifests && { kind: 'index', mediaType, manifests };
  }
  const config = asDescriptor(json.config);
  const layers = descriptors(json.layers ?? []);
  return config && layers && { kind: 'manifest', mediaType, config, layers };
}

/** The document with this digest, undefined when it is absent, too large or no document. */
export function readStoredDocument(paths: StorePaths, descriptor: Descriptor): StoredDocument | undefined {
  if (descriptor.size > MANIFEST_LIMIT) return undefined;
  const text = readBlobText(paths, descriptor.digest);
  return text === undefined ? undefined : parseStoredDocument(text);
}

/** A small blob's text, undefined when it cannot be read. */
export function readBlobText(paths: StorePaths, digest: Digest): string | undefined {
  try {
    return readFileSync(blobPath(paths, digest), 'utf8');
  } catch {
    return undefined;
  }
}

/** What a walk meets. */
export interface GraphVisitor<Document extends StoredDocument = StoredDocument> {
  /** How to read a document. Default: from its file. */
  read?(descriptor: Descriptor): Document | undefined;
  isPresent(descriptor: Descriptor): boolean;
  /** Every descriptor that is present, once. */
  present?(descriptor: Descriptor): void;
  /** A manifest that is present, by the descriptor that led to it. */
  manifest?(descriptor: Descriptor, document: Extract<Document, { kind: 'manifest' }>): void;
  /** Something that should be there. */
  problem?(line: string): void;
}

/** Goes through the graph below `root`. An index needs one child present, a manifest all: one platform may have been pulled. */
export function walkStored<Document extends StoredDocument = StoredDocument>(
  paths: StorePaths,
  root: Descriptor,
  visitor: GraphVisitor<Document>,
): void {
  const read =
    visitor.read ?? ((descriptor) => readStoredDocument(paths, descriptor) as Document | undefined);
  const seen = new Set<Digest>();

  function visit(descriptor: Descriptor, depth: number): void {
    if (seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    visitor.present?.(descriptor);
    const document = depth > MAX_DEPTH ? undefined : read(descriptor);
    if (document === undefined) {
      visitor.problem?.(`${descriptor.digest} is not an index or manifest`);
    } else if (document.kind === 'index') {
      const held = document.manifests.filter((child) => visitor.isPresent(child));
      if (held.length === 0 && document.manifests.length > 0) {
        visitor.problem?.(
          `none of the ${document.manifests.length} images of index ${descriptor.digest} is here`,
        );
      }
      for (const child of held) visit(child, depth + 1);
    } else {
      visitor.manifest?.(descriptor, document as Extract<Document, { kind: 'manifest' }>);
      for (const blob of [document.config, ...document.layers]) {
        if (seen.has(blob.digest)) continue;
        seen.add(blob.digest);
        if (visitor.isPresent(blob)) visitor.present?.(blob);
        // Windows' base layers may stay where their `urls` say.
        else if (!isForeignLayerType(blob.mediaType)) {
          visitor.problem?.(`${blob.digest} of manifest ${descriptor.digest} is missing`);
        }
      }
    }
  }

  if (visitor.isPresent(root)) visit(root, 0);
  else visitor.problem?.(`${root.digest} is missing`);
}

function descriptors(values: unknown): Descriptor[] | undefined {
  if (!Array.isArray(values)) return undefined;
  const all = values.map(asDescriptor);
  return all.every((descriptor) => descriptor !== undefined) ? all : undefined;
}
