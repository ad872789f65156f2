// Asks a token server for a bearer token (distribution spec/auth/token and auth/oauth).
import { OciError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { discard, readText } from './body.ts';
import type { Credential } from './credentials.ts';
import type { HttpResponse } from './http.ts';
import { asRecord } from './json.ts';
import { resolveRealm } from './realm.ts';
import { explainBody } from './response-error.ts';
import type { Transport } from './transport.ts';

/** A bearer token and until when it is good (ms, `Date.now()`). */
export interface Token {
  token: string;
  expiresAt: number;
}

/** What to ask for, and of whom. */
export interface TokenRequest {
  /** The registry's name, for messages. */
  registry: string;
  /** Where the registry's API is. */
  origin: URL;
  /** The parameters of its challenge. */
  realm: string;
  service: string | undefined;
  scopes: readonly string[];
  credential: Credential | undefined;
}

const MAX_TOKEN_BYTES = 1 << 20;
/** The spec's default, and the least we believe: some servers send 0 or nothing. */
const MIN_LIFETIME_S = 60;
/** A token is renewed this long before it ends, so that it does not end on the way. */
const MARGIN_MS = 10_000;
/** These say "no OAuth2 here", not "wrong token": 404 GCR, 400 ACR, 401 Artifactory, 405 the older spec (ctd authorizer.go). */
const NO_OAUTH2 = new Set([400, 401, 404, 405]);

/** A token from the realm. Throws UNAUTHORIZED or DENIED when it gives none, and what a request throws. */
export async function fetchToken(transport: Transport, request: TokenRequest): Promise<Token> {
  const realm = resolveRealm(request.realm, request.origin);
  if (request.credential?.type === 'refresh') {
    const response = await postRefreshToken(transport, realm, request, request.credential.refreshToken);
    if (!NO_OAUTH2.has(response.status)) return await readToken(response, request);
    await discard(response);
  }
  return await readToken(await getToken(transport, realm, request), request);
}

/** The Basic Authorization for a credential; undefined when it has no password to show. */
export function basicAuthorization(credential: Credential | undefined): string | undefined {
  if (credential === undefined || credential.type === 'bearer') return undefined;
  const pair =
    credential.type === 'basic'
      ? `${credential.username}:${credential.password}`
      : `${credential.username ?? '<token>'}:${credential.refreshToken}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

async function postRefreshToken(
  transport: Transport,
  realm: URL,
  request: TokenRequest,
  refreshToken: string,
): Promise<HttpResponse> {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'ocitool',
    service: request.service ?? '',
    scope: request.scopes.join(' '),
    refresh_token: refreshToken,
  });
  return await transport.request({
    method: 'POST',
    url: realm.href,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    what: `token for ${request.registry}`,
    onBehalfOf: request.origin,
  });
}

async function getToken(transport: Transport, realm: URL, request: TokenRequest): Promise<HttpResponse> {
  const url = new URL(realm);
  if (request.service !== undefined) url.searchParams.set('service', request.service);
  for (const scope of request.scopes) url.searchParams.append('scope', scope);
  const authorization = basicAuthorization(request.credential);
  return await transport.request({
    method: 'GET',
    url: url.href,
    headers: authorization === undefined ? {} : { authorization },
    what: `token for ${request.registry}`,
    onBehalfOf: request.origin,
  });
}

async function readToken(response: HttpResponse, request: TokenRequest): Promise<Token> {
  const arrivedAt = Date.now();
  const text = await readText(response, MAX_TOKEN_BYTES, `token for ${request.registry}`);
  if (response.status !== 200) throw tokenRefused(response, text, request);
  const answer = asRecord(parseJson(text));
  const token = [answer?.token, answer?.access_token].find(
    (value) => typeof value === 'string' && value !== '',
  );
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) {
    throw new OciError('UNAUTHORIZED', `${request.registry}: ${response.url.host} answered without a token`);
  }
  // Counted from the arrival: `issued_at` is absent, zero, or of a clock that is wrong.
  const lifetime = Math.max(MIN_LIFETIME_S, Number(answer?.expires_in) || 0);
  return { token, expiresAt: arrivedAt + lifetime * 1000 - MARGIN_MS };
}

function tokenRefused(response: HttpResponse, text: string, request: TokenRequest): OciError {
  const { status, url } = response;
  const said = explainBody(text).message;
  const told = said === undefined ? '' : `: ${said}`;
  const refusal = status === 401 || status === 403 || status === 400;
  if (!refusal) {
    const code = status === 429 ? 'RATE_LIMITED' : 'REGISTRY_ERROR';
    return new OciError(code, `${request.registry}: its token server ${url.host} answered ${status}${told}`);
  }
  const code = status === 403 ? 'DENIED' : 'UNAUTHORIZED';
  if (request.credential === undefined) {
    return new OciError(code, `${request.registry}: no anonymous access${told}`, {
      hint: `log in with: ocitool login ${request.registry}`,
    });
  }
  return new OciError(code, `${request.registry}: its token server refused the credentials${told}`, {
    hint: `log in again with: ocitool login ${request.registry}, or drop them with: ocitool logout ${request.registry}`,
  });
}
