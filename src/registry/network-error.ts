// Turns what undici, TLS and the system report into errors that say what to do.
import { type ErrorCode, isOciError, OciError, systemCode } from '../errors.ts';

/** The host does not exist or nothing listens there: trying again is pointless unless it answered before. */
const UNREACHABLE: Readonly<Record<string, string>> = {
  ENOTFOUND: 'no such host',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network unreachable',
  UND_ERR_CONNECT_TIMEOUT: 'no answer to the connection attempt',
};

const TIMEOUTS: Readonly<Record<string, string>> = {
  UND_ERR_CONNECT_TIMEOUT: 'timed out while connecting',
  UND_ERR_HEADERS_TIMEOUT: 'timed out waiting for an answer',
  UND_ERR_BODY_TIMEOUT: 'timed out: no bytes came any more',
  ETIMEDOUT: 'timed out',
};

/** What TLS says to bytes that are no TLS: the server speaks plain HTTP. */
const NO_TLS =
  /wrong version number|packet length too long|record layer failure|unknown protocol|http request/i;

const CERTIFICATE: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate authority is not trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate authority is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate authority is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate authority is not trusted here',
  CERT_UNTRUSTED: 'its certificate authority is not trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  CERT_REVOKED: 'its certificate is revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another host',
};

/** The failure of a request to `host` as an `OciError`: TLS, TIMEOUT or NETWORK. */
export function networkError(error: unknown, host: string, what: string): OciError {
  if (isOciError(error)) return error;
  const code = codeOf(error) ?? '';
  const text = error instanceof Error ? firstLine(error.message) : String(error);
  function failure(kind: ErrorCode, reason: string, hint?: string): OciError {
    return new OciError(kind, `${what}: ${host}: ${reason}`, { hint, cause: error });
  }
  const certificate = CERTIFICATE[code];
  if (certificate !== undefined) {
    return failure(
      'TLS',
      certificate,
      'name its certificate authority with --ca FILE, or skip the check with --insecure',
    );
  }
  if (saysNoTls(error)) {
    return failure('TLS', 'the server speaks plain HTTP, not HTTPS', 'if that is expected, use --plain-http');
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS')) {
    return failure(
      'TLS',
      `TLS failed: ${text}`,
      'check the host, its TLS version and, if it wants one, the client certificate',
    );
  }
  const timeout = TIMEOUTS[code];
  if (timeout !== undefined) {
    return failure(
      'TIMEOUT',
      timeout,
      'check the network and the proxy settings, or wait longer with --timeout',
    );
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    const reason = code === 'ENOTFOUND' ? 'no such host' : 'the name server does not answer';
    return failure('NETWORK', reason, "check the registry's name, the network and the proxy settings");
  }
  if (code === 'ECONNREFUSED') {
    return failure('NETWORK', 'connection refused', 'check the host and port, and that the registry runs');
  }
  return failure('NETWORK', UNREACHABLE[code] ?? text, 'check the network, then try again');
}

/** True when the other end answered TLS's greeting with something else, or hung up on it. */
export function isNoTlsServer(error: OciError): boolean {
  return saysNoTls(error.cause) || /before secure TLS connection/i.test(messageOf(error.cause));
}

/** True when no connection came about at all. */
export function isUnreachable(error: OciError): boolean {
  return UNREACHABLE[codeOf(error.cause) ?? ''] !== undefined;
}

/** True for the error of a TLS socket whose other end answered with something else. */
function saysNoTls(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  return (
    (code === 'EPROTO' || code.startsWith('ERR_SSL')) &&
    NO_TLS.test(`${code} ${messageOf(error)}`.replaceAll('_', ' '))
  );
}

/** The code of the error, or of what it wraps: the attempts on several addresses, a proxy's failure. */
function codeOf(error: unknown): string | undefined {
  const code = systemCode(error);
  if (code !== undefined && code !== 'UND_ERR_SOCKET') return code;
  if (error instanceof AggregateError) return systemCode(error.errors[0]);
  if (error instanceof Error && error.cause !== undefined) return codeOf(error.cause) ?? code;
  return code;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] || 'the connection failed';
}
