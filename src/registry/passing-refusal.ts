// Refusals that another attempt may change though their status does not say so.
import { OciError } from '../errors.ts';
import { discard } from './body.ts';
import type { HttpResponse } from './http.ts';
import { isRetriedStatus } from './retry.ts';
import type { Session } from './session.ts';

/**
 * The error for a part that nobody asked for (206), and for a storage that refuses what the registry says is there: a
 * signed address that expired on its way, a copy that is not everywhere yet. Undefined for every other answer, whose
 * body is then untouched.
 */
export async function passingRefusal(
  session: Session,
  response: HttpResponse,
  what: string,
  signal: AbortSignal | undefined,
): Promise<OciError | undefined> {
  const { status, url } = response;
  const own = await session.transport.origin(session.registry, { signal });
  const elsewhere = url.origin !== own.origin;
  // What the transport retries has been tried enough.
  if (status !== 206 && (status < 400 || !elsewhere || isRetriedStatus(status))) return undefined;
  await discard(response);
  const part = status === 206 ? 'answered with a part that nobody asked for' : `answered ${status}`;
  const where = elsewhere ? `${url.host}, where ${own.host} has it,` : url.host;
  return new OciError('REGISTRY_ERROR', `${what}: ${where} ${part}`, {
    hint: 'try again later, then report it to whoever runs the registry',
  });
}
