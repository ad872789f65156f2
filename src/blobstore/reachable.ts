// Which blobs are in use: everything that a name leads to, and what `serve` was given without a tag.
import type { Descriptor } from '../manifest/descriptor.ts';
import { isIndexType, isManifestType } from '../manifest/media-types.ts';
import type { Digest } from '../reference/digest.ts';
import { hasBlob } from './blob-files.ts';
import { readStoredDocument, walkStored } from './documents.ts';
import type { IndexEntry } from './index-file.ts';
import type { StorePaths } from './paths.ts';
import { listPushed, type PushedManifest } from './served.ts';
import { twinOf } from './twin.ts';

export interface ReachableOptions {
  /** Manifests that were pushed without a tag do not count, unless a tag leads to them. */
  taggedOnly?: boolean | undefined;
  /** Called for a document that cannot be read, so that what it leads to is unknown. */
  onUnreadable?: (digest: Digest) => void;
}

/**
 * The digests below `refs`, and below the manifests that were pushed: those with a subject while their subject is in
 * use, the others always, or with `taggedOnly` never.
 */
export function reachable(
  paths: StorePaths,
  refs: readonly IndexEntry[],
  { taggedOnly = false, onUnreadable }: ReachableOptions = {},
): Set<Digest> {
  const used = new Set<Digest>();
  const walked = new Set<Digest>();

  function walk(root: Descriptor): void {
    if (walked.has(root.digest)) return;
    walked.add(root.digest);
    walkStored(paths, root, {
      isPresent: (descriptor) => hasBlob(paths, descriptor),
      present(descriptor) {
        used.add(descriptor.digest);
        const { mediaType, digest } = descriptor;
        if (!isIndexType(mediaType) && !isManifestType(mediaType)) return;
        if (readStoredDocument(paths, descriptor) === undefined) onUnreadable?.(digest);
      },
    });
  }

  for (const { descriptor } of refs) {
    walk(descriptor);
    const twin = twinOf(descriptor);
    if (twin !== undefined) used.add(twin.descriptor.digest);
  }
  const isRoot = ({ subject, descriptor }: PushedManifest): boolean =>
    subject === undefined ? !taggedOnly : used.has(subject) && !used.has(descriptor.digest);
  let rest = listPushed(paths);
  // A signature may have a signature.
  for (let found = rest.filter(isRoot); found.length > 0; found = rest.filter(isRoot)) {
    rest = rest.filter((manifest) => !found.includes(manifest));
    for (const { descriptor } of found) walk(descriptor);
  }
  return used;
}
