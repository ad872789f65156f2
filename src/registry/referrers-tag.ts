// The fallback of registries without the referrers API: what refers to an image is listed in an index under a tag made
// from the image's digest (distribution spec, referrers tag schema).
import type { Descriptor } from '../manifest/descriptor.ts';
import { type ManifestDocument, parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { OCI_INDEX } from '../manifest/media-types.ts';
import { algorithmOf, type Digest, digestOf, hexOf } from '../reference/digest.ts';
import { discard, readBytes } from './body.ts';
import { putManifest } from './put-manifest.ts';
import type { Session } from './session.ts';

/** `sha256-…`: at most 32 characters of the algorithm and 64 of the digest, as the spec has it. */
export function referrersTag(digest: Digest): string {
  return `${algorithmOf(digest).slice(0, 32)}-${hexOf(digest).slice(0, 64)}`;
}

/** What the manifest or index in `raw` refers to. */
export function subjectOf(descriptor: Descriptor, raw: Buffer): Descriptor | undefined {
  // Most refer to nothing, and need not be parsed for that.
  if (!raw.includes('"subject"')) return undefined;
  const document = parseDocument(raw, { descriptor });
  return document.kind === 'index' ? document.index.subject : document.manifest.subject;
}

/**
 * Adds the document to the list of its subject. Two who do so at once may lose one: the spec has no way around that.
 * Throws what reading and writing manifests throw.
 */
export async function recordReferrer(
  session: Session,
  descriptor: Descriptor,
  raw: Buffer,
  { subject, signal }: { subject: Descriptor; signal?: AbortSignal | undefined },
): Promise<void> {
  const tag = referrersTag(subject.digest);
  const listed = await readList(session, tag, signal);
  if (listed.some(({ digest }) => digest === descriptor.digest)) return;
  const entry = referrerEntry(descriptor, parseDocument(raw, { descriptor }));
  const list = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [...listed, entry] };
  const bytes = Buffer.from(JSON.stringify(list));
  const named: Descriptor = { mediaType: OCI_INDEX, digest: digestOf(bytes), size: bytes.length };
  await putManifest(session, named, bytes, { name: tag, signal });
}

/** The document as the list has it: with what tells its kind without fetching it. */
function referrerEntry({ mediaType, digest, size }: Descriptor, document: ManifestDocument): Descriptor {
  const { artifactType, annotations } = document.kind === 'index' ? document.index : document.manifest;
  const type =
    artifactType ?? (document.kind === 'manifest' ? document.manifest.config.mediaType : undefined);
  return {
    mediaType,
    digest,
    size,
    ...(type !== undefined && { artifactType: type }),
    ...(annotations !== undefined && { annotations }),
  };
}

async function readList(
  session: Session,
  tag: string,
  signal: AbortSignal | undefined,
): Promise<Descriptor[]> {
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
