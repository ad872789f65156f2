// What refers to an image goes where the image went: signatures, SBOMs, and what refers to those. The walk of graph.ts goes
// down from a name; this one goes up, as far as the source knows the way (distribution-spec, listing referrers).
import { OciError, throwIfAborted } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isIndexType, isManifestType } from '../manifest/media-types.ts';
import { isAttestation } from '../manifest/platform-match.ts';
import { subjectOf } from '../manifest/referrer.ts';
import { keepDocuments } from '../place/keep-documents.ts';
import {
  hasReferrers,
  type ImageSource,
  type ImageTarget,
  type Referring,
  takesReferrers,
} from '../place/place.ts';
import { readSmall } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import { formatReference, type Reference, withDigest } from '../reference/reference.ts';
import { type CopierOptions, type CopyResult, createCopier } from './copier.ts';

/** A signature of an SBOM of an image is two. */
const MAX_DEPTH = 8;
/** Of one image and all that refers to it. */
const MOST = 1000;

/** An image that was copied, and between which places. */
export interface ReferrersRequest {
  source: ImageSource;
  target: ImageTarget;
  /** What the name stands for in the source. */
  root: Descriptor;
  copied: CopyResult;
  /** Its name in the source, and in the target. */
  name: Reference;
  as: Reference;
}

/** What `copyReferrers` found. */
export interface CopiedReferrers {
  /** All there are now, with those that were there already. */
  referrers: Digest[];
  /** Bytes, documents included. */
  transferred: number;
  reused: number;
}

/**
 * Copies what refers to the image or its platforms, and what refers to that. Nothing refers to an index that was written
 * anew; a warning counts what is left out. A place that knows no referrers has none.
 * Throws LIMIT_EXCEEDED (more than 1000, or 8 deep), and what the two places throw.
 */
export async function copyReferrers(
  { source, target, root, copied, name, as }: ReferrersRequest,
  options: CopierOptions = {},
): Promise<CopiedReferrers> {
  const found: CopiedReferrers = { referrers: [], transferred: 0, reused: 0 };
  if (!hasReferrers(source)) return found;
  const { signal } = options;
  if (root.digest !== copied.root.digest) await warnOfOld(source, root, { name, options });
  const seen = new Set<Digest>();
  const images = copied.manifests.filter((one) => !isAttestation(one));
  let subjects = [...new Set([copied.root, ...images].map(({ digest }) => digest))];
  for (let depth = 0; subjects.length > 0; depth += 1) {
    const next: Digest[] = [];
    for (const subject of subjects) {
      throwIfAborted(signal);
      const entries = (await source.referrers(subject, { signal })).filter(({ digest }) => !seen.has(digest));
      if (entries.length === 0) continue;
      if (depth === MAX_DEPTH || seen.size + entries.length > MOST) {
        throw new OciError(
          'LIMIT_EXCEEDED',
          `${formatReference(name)}: more than ${MOST} referrers, or ${MAX_DEPTH} upon each other`,
          { hint: 'no image has so many; leave them out: copy without --referrers' },
        );
      }
      const there = hasReferrers(target) ? await target.referrers(subject, { signal }) : [];
      const isThere = new Set(there.map(({ digest }) => digest));
      for (const entry of entries) {
        if (seen.has(entry.digest)) continue;
        seen.add(entry.digest);
        if (!isThere.has(entry.digest)) {
          const result = await copyOne(entry, subject);
          if (result === undefined) continue;
          found.transferred += result.transferred;
          found.reused += result.reused;
        }
        found.referrers.push(entry.digest);
        next.push(entry.digest);
      }
    }
    subjects = next;
  }
  return found;

  /** Undefined for what does not refer to the subject, whatever the list says. */
  async function copyOne(
    { mediaType, digest, size }: Descriptor,
    subject: Digest,
  ): Promise<CopyResult | undefined> {
    const found: Descriptor = { mediaType, digest, size };
    const kept = { ...source, ...keepDocuments(source, found, target) };
    const isDocument = isIndexType(mediaType) || isManifestType(mediaType);
    const raw = isDocument ? await readSmall(kept, found, { signal }) : undefined;
    if (raw === undefined || subjectOf(found, raw)?.digest !== subject) {
      options.onProgress?.({
        type: 'warning',
        message: `${formatReference(withDigest(name, digest))} does not refer to ${subject}, though it is listed; left out`,
      });
      return undefined;
    }
    const copier = createCopier(asReferrerTarget(target), options);
    return await copier.copy(kept, withDigest(name, digest), {
      allPlatforms: true,
      as: withDigest(as, digest),
    });
  }
}

async function warnOfOld(
  source: Referring,
  { digest }: Descriptor,
  { name, options: { signal, onProgress } }: { name: Reference; options: CopierOptions },
): Promise<void> {
  const { length } = await source.referrers(digest, { signal });
  if (length === 0) return;
  const what = length === 1 ? '1 artifact refers' : `${length} artifacts refer`;
  const message = `${formatReference(name)}: ${what} to its whole index, which is written anew for some platforms: left out`;
  onProgress?.({ type: 'warning', message });
}

/** The target, where a document is not named at the end, but found by its subject. */
export function asReferrerTarget(target: ImageTarget): ImageTarget {
  return {
    resolve: (name, options) => target.resolve(name, options),
    fetch: (descriptor, options) => target.fetch(descriptor, options),
    has: (descriptor) => target.has(descriptor),
    ingest: (descriptor, options) => target.ingest(descriptor, options),
    async tag(descriptor, name) {
      if (takesReferrers(target)) await target.refer(descriptor, name);
    },
  };
}
