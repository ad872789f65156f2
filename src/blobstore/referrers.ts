// What refers to an image of the store, in whatever repository it was pushed: content is what its digest says. What was
// recorded by `hold`, and what other tools (oras) left without a name in index.json.
import { readFileSync } from 'node:fs';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { ofArtifactType, referrerEntry, referringAmong } from '../manifest/referrer.ts';
import type { Digest } from '../reference/digest.ts';
import { hasBlob } from './blob-files.ts';
import { blobPath, type StorePaths } from './paths.ts';
import { listRefs } from './refs.ts';
import { type PushedManifest, referrersAnywhere } from './served.ts';

/** The referrers that are here, by digest. */
export function storedReferrers(paths: StorePaths, subject: Digest, artifactType?: string): Descriptor[] {
  const unnamed = listRefs(paths).flatMap(({ key, descriptor }) => (key.startsWith('@') ? [descriptor] : []));
  const listed = referringAmong(unnamed, (descriptor) =>
    hasBlob(paths, descriptor) ? readFileSync(blobPath(paths, descriptor.digest)) : undefined,
  );
  const found = new Map<Digest, Descriptor>();
  for (const one of listed) if (one.subject === subject) found.set(one.entry.digest, one.entry);
  for (const one of referrersAnywhere(paths, subject)) if (hasBlob(paths, one)) found.set(one.digest, one);
  const sorted = [...found.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return ofArtifactType(sorted, artifactType);
}

/** What is to be recorded of a document of the store. Throws MANIFEST_INVALID and what reading the file throws. */
export function pushedReferrer(
  paths: StorePaths,
  descriptor: Descriptor,
  repository: string,
): PushedManifest {
  const { digest } = descriptor;
  const document = parseDocument(readFileSync(blobPath(paths, digest)), { descriptor });
  const { subject } = document.kind === 'index' ? document.index : document.manifest;
  return { repository, descriptor: referrerEntry(descriptor, document), subject: subject?.digest };
}
