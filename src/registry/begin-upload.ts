// How a blob gets into a repository with the least bytes sent: mounted from another repository of the registry when
// that works, else by an upload that is begun here.
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { discard } from './body.ts';
import type { HttpResponse } from './http.ts';
import type { Session } from './session.ts';
import { type Upload, uploadFrom } from './upload-session.ts';

/** Which mounts a registry turned down: it is not asked again. */
export interface MountHabits {
  refused: Set<string>;
}

export interface BeginOptions {
  /** Another repository of the same registry that has the blob. */
  from?: string | undefined;
  what: string;
  signal?: AbortSignal | undefined;
}

/** Begins an upload; undefined when the blob was mounted and nothing is left to send. */
export async function beginUpload(
  session: Session,
  habits: MountHabits,
  { digest }: Descriptor,
  { from, what, signal }: BeginOptions,
): Promise<Upload | undefined> {
  // Without `from` the registry may look for the blob itself (spec 1.1, mounting a blob from another repository).
  const key = from ?? '';
  if (!habits.refused.has(key)) {
    const source = from === undefined ? '' : `&from=${encodeURIComponent(from)}`;
    const path = `blobs/uploads/?mount=${encodeURIComponent(digest)}${source}`;
    const response = await tryMount(session.writing(from), path, what, signal);
    if (response?.status === 201) {
      await discard(response);
      return undefined;
    }
    if (response?.status === 202) {
      await discard(response);
      return uploadFrom(response, what);
    }
    // Docker Hub answers 400 for a repository one may not read (ggcr#1741), Quay fails when there is no `from`, and a
    // token server may refuse the scope: all may still take the blob itself.
    habits.refused.add(key);
    if (response !== undefined) await discard(response);
  }
  const response = await session
    .writing()
    .request({ method: 'POST', path: 'blobs/uploads/', headers: EMPTY, what, signal });
  if (response.status !== 202 && response.status !== 201 && response.status !== 200) {
    throw await session.failure(response, { what, kind: 'upload' });
  }
  await discard(response);
  return uploadFrom(response, what);
}

const EMPTY = { 'content-length': '0' };

async function tryMount(
  session: Session,
  path: string,
  what: string,
  signal: AbortSignal | undefined,
): Promise<HttpResponse | undefined> {
  try {
    return await session.request({ method: 'POST', path, headers: EMPTY, what, signal });
  } catch (error) {
    if (isOciError(error, 'UNAUTHORIZED') || isOciError(error, 'DENIED')) return undefined;
    throw error;
  }
}
