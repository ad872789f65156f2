// Takes tags and manifests out of a repository (distribution spec, content management).
import { formatReference, type Reference } from '../reference/reference.ts';
import { discard } from './body.ts';
import type { Session } from './session.ts';
import { isDone } from './upload-session.ts';

/**
 * Deletes the manifest when the reference has a digest, which takes every tag of it away, else the tag alone.
 * Throws IMAGE_NOT_FOUND, UNSUPPORTED (the registry does not delete, or not by tag), DENIED, UNAUTHORIZED.
 */
export async function removeFrom(
  session: Session,
  reference: Reference,
  signal?: AbortSignal,
): Promise<void> {
  const what = formatReference(reference);
  const path = `manifests/${reference.digest ?? reference.tag ?? 'latest'}`;
  const response = await session.request({ method: 'DELETE', path, what, signal });
  if (!isDone(response.status)) throw await session.failure(response, { what, kind: 'deletion' });
  await discard(response);
}
