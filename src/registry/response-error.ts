// Turns a registry's refusal into an error that says what it means for the user (distribution spec, error codes).
import { type ErrorCode, OciError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { readText } from './body.ts';
import { insufficientScope, parseChallenges } from './challenge.ts';
import { type HttpResponse, header, headerValues } from './http.ts';
import { asRecord, asText } from './json.ts';

/** What an error body says: the first error's code and message, as far as there are any. */
export interface ErrorBody {
  code: string | undefined;
  message: string | undefined;
}

/** What was asked for. */
export interface Asked {
  /** `docker.io/library/alpine:3.20`, for messages. */
  what: string;
  registry: string;
  kind: 'manifest' | 'blob' | 'tags' | 'ping' | 'upload' | 'deletion';
}

const MAX_ERROR_BYTES = 64 * 1024;
const MAX_MESSAGE = 200;
const NOT_FOUND_CODES = new Set([
  'MANIFEST_UNKNOWN',
  'NAME_UNKNOWN',
  'BLOB_UNKNOWN',
  'NOT_FOUND',
  'NAME_INVALID',
]);

/**
 * Reads `{"errors":[{code,message,detail}]}` and what servers send instead: `{"message"}`, `{"error"}`, text. Pages of
 * HTML say nothing.
 */
export function explainBody(text: string): ErrorBody {
  const body = asRecord(parseJson(text));
  const listed: unknown = Array.isArray(body?.errors) ? body.errors[0] : undefined;
  const first = asRecord(listed) ?? asRecord(body?.error) ?? body;
  const code = asText(first?.code);
  const message =
    asText(first?.message) ??
    asText(listed) ??
    asText(body?.error_description) ??
    asText(body?.error) ??
    asText(first?.detail) ??
    asText(body?.details) ??
    (body === undefined && !/^\s*</.test(text) ? asText(text) : undefined);
  return { code: code?.toUpperCase(), message: oneLine(message) };
}

/** The error for an answer that is not what was asked for; reads and ends its body. */
export async function responseError(response: HttpResponse, asked: Asked): Promise<OciError> {
  const text = await readText(response, MAX_ERROR_BYTES, asked.what).catch(() => '');
  const { code, message } = explainBody(text);
  const failure = classify(response, asked, code, text);
  const said = message === undefined || failure.quiet === true ? '' : `: ${message}`;
  return new OciError(failure.code, `${asked.what}: ${failure.reason}${said}`, { hint: failure.hint });
}

interface Failure {
  code: ErrorCode;
  reason: string;
  hint?: string;
  /** The server's words add nothing. */
  quiet?: boolean;
}

function classify(response: HttpResponse, asked: Asked, code: string | undefined, text: string): Failure {
  const { status, url } = response;
  const login = `ocitool login ${asked.registry}`;
  if (status === 429 || code === 'TOOMANYREQUESTS') {
    return {
      code: 'RATE_LIMITED',
      reason: `${url.host} limits the rate of requests`,
      hint: `wait, or raise the limit by logging in with: ${login}${afterwards(response)}`,
    };
  }
  if (status === 401) {
    const challenges = parseChallenges(headerValues(response.headers, 'www-authenticate'));
    return insufficientScope(challenges) === undefined
      ? {
          code: 'UNAUTHORIZED',
          reason: 'authentication required',
          hint: `log in with: ${login}`,
          quiet: true,
        }
      : {
          code: 'UNAUTHORIZED',
          reason: 'does not exist or is private',
          hint: `check the name; if it is private, log in with: ${login}`,
          quiet: true,
        };
  }
  if (asked.kind === 'upload' || asked.kind === 'deletion') {
    const refused = refusedChange(status, asked.kind, code, login);
    if (refused !== undefined) return refused;
  }
  if (status === 403) {
    return {
      code: 'DENIED',
      reason: 'access denied',
      hint: `check the name and the account's permissions; log in with: ${login}`,
    };
  }
  if (status === 404 || (status >= 400 && status < 500 && code !== undefined && NOT_FOUND_CODES.has(code))) {
    return notFound(asked, code);
  }
  if (status === 400 && /https (?:server|port)/i.test(text)) {
    return {
      code: 'TLS',
      reason: 'the server speaks HTTPS, not plain HTTP',
      hint: 'leave out --plain-http',
      quiet: true,
    };
  }
  return { code: 'REGISTRY_ERROR', reason: `${url.host} answered ${status}` };
}

/** What a refusal to write or delete means, where that differs from reading. */
function refusedChange(
  status: number,
  kind: 'upload' | 'deletion',
  code: string | undefined,
  login: string,
): Failure | undefined {
  const verb = kind === 'upload' ? 'push' : 'delete';
  if (status === 403 || code === 'DENIED') {
    return {
      code: 'DENIED',
      reason: `not allowed to ${verb} here`,
      hint: `the account needs the right to ${verb}; log in with another one: ${login}`,
    };
  }
  // docker-registry before version 3 takes a tag to delete for a digest that is wrong.
  const isNoTagRemoval = kind === 'deletion' && status === 400;
  if (status === 405 || code === 'UNSUPPORTED' || isNoTagRemoval) {
    return kind === 'upload'
      ? {
          code: 'UNSUPPORTED',
          reason: 'the registry takes nothing in',
          hint: 'it may be a cache of another registry, or switched to read-only: push to the registry behind it',
        }
      : {
          code: 'UNSUPPORTED',
          reason: 'the registry does not delete this',
          quiet: true,
          hint: 'deleting may be switched off there, or only work by digest: ocitool rm with NAME@DIGEST',
        };
  }
  if (kind === 'deletion') return undefined;
  if (status === 404 || code === 'NAME_UNKNOWN') {
    return {
      code: 'IMAGE_NOT_FOUND',
      reason: 'no such repository to push to',
      hint: 'some registries want a repository created before the first push',
    };
  }
  if (code === 'DIGEST_INVALID' || code === 'SIZE_INVALID') {
    return { code: 'DIGEST_MISMATCH', reason: 'the registry received other bytes' };
  }
  if (status === 413)
    return { code: 'REGISTRY_ERROR', reason: 'larger than the registry, or a proxy before it, takes' };
  // MANIFEST_BLOB_UNKNOWN and the like: what is written names something the registry lacks, nothing was asked for.
  return status < 500 ? { code: 'REGISTRY_ERROR', reason: `refused (${code ?? status})` } : undefined;
}

function notFound(asked: Asked, code: string | undefined): Failure {
  if (asked.kind === 'blob')
    return { code: 'BLOB_NOT_FOUND', reason: 'the registry does not have this blob', quiet: true };
  if (asked.kind === 'ping')
    return { code: 'REGISTRY_ERROR', reason: 'no registry API here (/v2/ not found)', quiet: true };
  if (code === 'NAME_UNKNOWN' || asked.kind === 'tags') {
    return { code: 'IMAGE_NOT_FOUND', reason: 'no such repository', hint: 'check its name', quiet: true };
  }
  return { code: 'IMAGE_NOT_FOUND', reason: 'no such image', quiet: true };
}

function afterwards(response: HttpResponse): string {
  const seconds = header(response.headers, 'retry-after');
  return seconds !== undefined && /^\d+$/.test(seconds) ? ` (it asks to wait ${seconds} s)` : '';
}

/** Text of a server's, fit for one line of a terminal. */
function oneLine(text: string | undefined): string | undefined {
  const line = text
    ?.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .trim()
    .slice(0, MAX_MESSAGE);
  return line === '' ? undefined : line;
}
