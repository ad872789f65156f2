// One request to its final answer: Authorization for the registry's own origin only, challenges answered, redirects
// followed by hand, because what may go where differs at each hop.
import { OciError } from '../errors.ts';
import { addressKind } from './address.ts';
import { discard } from './body.ts';
import { type HttpRequest, type HttpResponse, header } from './http.ts';

const MAX_REDIRECTS = 10;
/** A 401 may mean: no token yet, then a token with too little scope. A third is an answer. */
const MAX_CHALLENGES = 2;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends one request and does nothing about its answer. */
export type Exchange = (
  url: URL,
  headers: Record<string, string>,
  request: HttpRequest,
  signal: AbortSignal,
) => Promise<HttpResponse>;

/** Which plain-HTTP addresses are fine. */
export interface HttpPolicy {
  plainHttp: boolean;
  insecure: boolean;
}

/** The answer after challenges and redirects. Throws REGISTRY_ERROR for redirects that must not be followed. */
export async function follow(
  request: HttpRequest,
  exchange: Exchange,
  policy: HttpPolicy,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let url = new URL(request.url);
  let headers = { ...request.headers };
  let authorizer = request.authorizer;
  let challenges = 0;
  let redirects = 0;
  while (true) {
    const authorization = await authorizer?.header(signal);
    const response = await exchange(url, withAuthorization(headers, authorization), request, signal);
    if (response.status === 401 && authorizer !== undefined && challenges < MAX_CHALLENGES) {
      challenges += 1;
      const again = await authorizer
        .challenged(response.headers, authorization, challenges, signal)
        .catch((error: unknown) => {
          response.body.destroy();
          throw error;
        });
      if (!again || isOneShot(request)) return response;
      await discard(response);
      continue;
    }
    const next = redirectTarget(request, response);
    if (next === undefined) return response;
    await discard(response);
    redirects += 1;
    if (redirects > MAX_REDIRECTS) {
      throw new OciError('REGISTRY_ERROR', `${request.what}: more than ${MAX_REDIRECTS} redirects`);
    }
    refuseDowngrade(request, url, next, policy);
    if (next.origin !== url.origin) {
      // Storage answers 400 to a second authentication (oras-java#334), and it is none of its business.
      headers = withoutSecrets(headers);
      authorizer = authorizer?.elsewhere(next);
    }
    url = next;
  }
}

/** True when the body comes in chunks, which are gone once they were sent. */
export function isOneShot({ body }: HttpRequest): boolean {
  return body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array);
}

/** True when plain HTTP to this host is allowed: by flag, or because nobody else can listen in. */
export function plainHttpAllowed(url: URL, policy: HttpPolicy): boolean {
  return policy.plainHttp || addressKind(url.hostname) === 'loopback';
}

function redirectTarget(request: HttpRequest, response: HttpResponse): URL | undefined {
  const location = header(response.headers, 'location');
  if (!REDIRECTS.has(response.status) || location === undefined) return undefined;
  // What is written is not sent on to another address: a form may hold a refresh token, and 201 has a Location too.
  if (request.method !== 'GET' && request.method !== 'HEAD') return undefined;
  if (URL.canParse(location, response.url)) return new URL(location, response.url);
  throw new OciError('REGISTRY_ERROR', `${request.what}: redirected to an invalid address`);
}

function refuseDowngrade(request: HttpRequest, from: URL, to: URL, policy: HttpPolicy): void {
  if (to.protocol === 'https:') return;
  const allowed =
    to.protocol === 'http:' &&
    (policy.insecure || policy.plainHttp || (from.protocol === 'http:' && plainHttpAllowed(to, policy)));
  if (allowed) return;
  throw new OciError(
    'REGISTRY_ERROR',
    `${request.what}: ${from.host} redirects to ${to.protocol}//${to.host}: refused`,
    {
      hint: 'the content would come over plain HTTP; --insecure allows it (digests are checked all the same)',
    },
  );
}

function withAuthorization(
  headers: Record<string, string>,
  authorization: string | undefined,
): Record<string, string> {
  return authorization === undefined ? headers : { ...headers, authorization };
}

/** What the answer depends on; a mirror's own headers (hosts.toml) may be secrets under any name. */
const HARMLESS = new Set(['accept', 'range', 'if-none-match']);

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name)));
}
