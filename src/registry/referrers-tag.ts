// The fallback of registries without the referrers API: what refers to an image is listed in an index under a tag made
// from the image's digest (distribution spec, referrers tag schema).
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { OCI_INDEX } from '../manifest/media-types.ts';
import { referrerEntry } from '../manifest/referrer.ts';
import { algorithmOf, type Digest, digestOf, hexOf } from '../reference/digest.ts';
import { discard, readBytes } from './body.ts';
import { putManifest } from './put-manifest.ts';
import { pause } from './retry.ts';
import type { Session } from './session.ts';

/** `sha256-…`: at most 32 characters of the algorithm and 64 of the digest, as the spec has it. */
export function referrersTag(digest: Digest): string {
  return `${algorithmOf(digest).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`;
}

/** Times a document is written into the list when others overwrite it. */
const ATTEMPTS = 5;

/**
 * Adds the document to the list of its subject, unless it is there. Two who do so at once may overwrite each other (the
 * spec has no way around that), so the list is read once more, and written again when the document is not in it.
 * Throws what reading and writing manifests throw, and REGISTRY_ERROR when it does not stay there.
 */
export async function recordReferrer(
  session: Session,
  descriptor: Descriptor,
  raw: Buffer,
  { subject, signal }: { subject: Descriptor; signal?: AbortSignal | undefined },
): Promise<void> {
  const tag = referrersTag(subject.digest);
  for (let attempt = 0; ; attempt += 1) {
    const listed = await readReferrersTag(session, subject.digest, signal);
    if (listed.some(({ digest }) => digest === descriptor.digest)) return;
    if (attempt === ATTEMPTS) break;
    // Whoever waits a different time each is not overwritten by the same one again.
    if (attempt > 0) await pause(Math.random() * 200 * attempt, signal ?? new AbortController().signal);
    const entry = referrerEntry(descriptor, parseDocument(raw, { descriptor }));
    const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...listed, entry] };
    const bytes = Buffer.from(JSON.stringify(list));
    const named: Descriptor = { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
    await putManifest(session, named, bytes, { name: tag, signal });
  }
  throw new OciError(
    'REGISTRY_ERROR',
    `${session.registry}/${session.repository}:${tag}: ${descriptor.digest} does not stay in the list`,
    { hint: 'others are writing it all the time: run the same command again' },
  );
}

/** What the list of the fallback tag names; empty when there is none. Throws what reading manifests throws. */
export async function readReferrersTag(
  session: Session,
  subject: Digest,
  signal: AbortSignal | undefined,
): Promise<Descriptor[]> {
  const tag = referrersTag(subject);
  const what = `${session.registry}/${session.repository}:${tag}`;
  const headers = { accept: OCI_INDEX };
  const response = await session.request({ method: 'GET', path: `manifests/${tag}`, headers, what, signal });
  if (response.status === 404) {
    await discard(response);
    return [];
  }
  if (response.status !== 200) throw await session.failure(response, { what, kind: 'manifest' });
  const document = parseDocument(await readBytes(response, MANIFEST_LIMIT, what));
  return document.kind === 'index' ? document.index.manifests : [];
}
