// Owns everything between this process and registries: connections, TLS, proxies, limits, retries, redirects.
import type { Dispatcher } from 'undici';
import { abortError, isOciError, OciError } from '../errors.ts';
import type { OnProgress } from '../place/progress.ts';
import { apiHost, isLoopbackRegistry } from '../reference/registry-host.ts';
import { addressKind } from './address.ts';
import { discard } from './body.ts';
import { createDispatchers, DEFAULT_CONNECTIONS, registryKinds } from './dispatchers.ts';
import { follow, isOneShot, plainHttpAllowed } from './follow.ts';
import { type HttpRequest, type HttpResponse, header, headerValues, type ResponseHeaders } from './http.ts';
import { isNoTlsServer, isUnreachable, networkError } from './network-error.ts';
import type { RateLimiter } from './rate-limiter.ts';
import { realmAllowed, realmRefused } from './realm.ts';
import { receive } from './receive.ts';
import {
  DEFAULT_RETRY,
  isRetriedStatus,
  parseRetryAfter,
  pause,
  type RetryPolicy,
  retryDelay,
} from './retry.ts';
import { shared } from './shared.ts';
import { speaksNoTls } from './tls-peek.ts';
import { parseWarning } from './warning-header.ts';

/** How to talk to registries. */
export interface TransportOptions {
  /** Talk HTTP to every registry (`--plain-http`). Loopback registries may do so without it. */
  plainHttp?: boolean | undefined;
  /** Do not verify TLS certificates, and follow redirects from HTTPS to HTTP (`--insecure`). */
  insecure?: boolean | undefined;
  /** Further certificate authorities, PEM. */
  ca?: string | undefined;
  /** Client certificate, PEM. */
  cert?: string | undefined;
  /** Key of the client certificate, PEM. */
  key?: string | undefined;
  /** Longest silence while connecting, before headers and within a body; milliseconds, default 60,000. */
  timeoutMs?: number | undefined;
  /** Longest wait for a connection, milliseconds; no more than `timeoutMs`, default 15,000. */
  connectTimeoutMs?: number | undefined;
  /** Connections to one host, default 6. */
  connectionsPerHost?: number | undefined;
  userAgent?: string | undefined;
  /** Holds back the bytes of blobs, in both directions; several transports may share one. */
  limiter?: RateLimiter | undefined;
  /** How failed requests are tried again. */
  retry?: Partial<RetryPolicy> | undefined;
  /** A program's own undici dispatcher: TLS and proxies are then its business, and closing it too. */
  dispatcher?: Dispatcher | undefined;
  /** Hears `retrying` and `warning` events. */
  onProgress?: OnProgress | undefined;
}

/** Connections to any number of registries; no state outside it. */
export interface Transport {
  readonly retry: RetryPolicy;
  /** To one host. */
  readonly connections: number;
  readonly limiter: RateLimiter | undefined;
  /** See `HttpRequest.body`. False for a program's own dispatcher, whose connections may keep chunks. */
  readonly sendsInPlace: boolean;
  readonly onProgress: OnProgress;
  /**
   * Where a registry's API is, such as `https://registry-1.docker.io`. A loopback registry is asked once whether it
   * speaks TLS. Throws what a request throws.
   */
  origin(registry: string, options?: { signal?: AbortSignal | undefined }): Promise<URL>;
  /**
   * The answer to a request after authorization, redirects and retries, whatever its status.
   * Throws NETWORK, TIMEOUT, TLS, REGISTRY_ERROR (redirects), UNAUTHORIZED (no token to be had), ABORTED.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Ends all connections; running requests and bodies fail with ABORTED. */
  close(): Promise<void>;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** A transport with its own connections; close it. */
export function createTransport(options: TransportOptions = {}): Transport {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const retry = { ...DEFAULT_RETRY, ...options.retry };
  const policy = { plainHttp: options.plainHttp === true, insecure: options.insecure === true };
  const onProgress = options.onProgress ?? (() => {});
  const dispatchers = createDispatchers(options, timeoutMs);
  const closing = new AbortController();
  const origins = new Map<string, URL>();
  const probes = new Map<string, Promise<URL>>();
  /** Hosts that answered before: their refusing a connection now is worth waiting out. */
  const answered = new Set<string>();
  /** Failures that were tried enough: a token request's must not be tried again by the request that waits for it. */
  const hopeless = new WeakSet<OciError>();
  const warned = new Set<string>();

  async function exchange(
    url: URL,
    headers: Record<string, string>,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    if (request.onBehalfOf !== undefined) await refuseUnlessAllowed(url, request.onBehalfOf);
    if (url.protocol !== 'https:' && !plainHttpAllowed(url, policy) && !policy.insecure) {
      throw new OciError('TLS', `${request.what}: ${url.host}: plain HTTP refused`, {
        hint: 'use --plain-http if that host really has no HTTPS',
      });
    }
    try {
      const dispatcher = dispatchers.for(url, request);
      const dispatched = {
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: {
          'user-agent': options.userAgent ?? 'ocitool',
          // Digests are of the bytes as stored: nobody may compress them on the way.
          'accept-encoding': 'identity',
          ...headers,
        },
        // undici takes iterables of bytes, too, though its types do not say so.
        ...(request.body === undefined ? {} : { body: request.body as Uint8Array }),
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      };
      const { statusCode, headers: answer, body } = await receive(dispatcher, dispatched, signal);
      answered.add(url.host);
      tellWarnings(url, answer);
      return { status: statusCode, headers: answer, body, url };
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      const failed = networkError(error, url.host, request.what);
      if (isUnreachable(failed) && !answered.has(url.host)) hopeless.add(failed);
      throw failed;
    }
  }

  function tellWarnings(url: URL, headers: ResponseHeaders): void {
    for (const value of headerValues(headers, 'warning')) {
      const message = parseWarning(value);
      if (message === undefined || warned.has(message)) continue;
      warned.add(message);
      onProgress({ type: 'warning', message: `${url.host}: ${message}` });
    }
  }

  async function request(request: HttpRequest): Promise<HttpResponse> {
    const signal = joined(request.signal);
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await follow(request, exchange, policy, signal).catch(failure);
      const reason = isOneShot(request) ? undefined : retryReason(outcome);
      if (reason === undefined || attempt > retry.retries) {
        if (!isOciError(outcome)) return outcome;
        hopeless.add(outcome);
        throw outcome;
      }
      request.onSetback?.(isOciError(outcome) ? undefined : outcome.status);
      let retryAfterMs: number | undefined;
      if (!isOciError(outcome)) {
        retryAfterMs = parseRetryAfter(header(outcome.headers, 'retry-after'));
        await discard(outcome);
      }
      const delayMs = retryDelay(retry, attempt, retryAfterMs);
      const status = isOciError(outcome) ? {} : { status: outcome.status };
      onProgress({ type: 'retrying', what: request.what, reason, attempt, delayMs, ...status });
      await pause(delayMs, signal);
    }
  }

  function retryReason(outcome: HttpResponse | OciError): string | undefined {
    if (!isOciError(outcome)) {
      if (!isRetriedStatus(outcome.status)) return undefined;
      return outcome.status === 429
        ? `${outcome.url.host} limits the rate of requests (429)`
        : `${outcome.url.host} answered ${outcome.status}`;
    }
    if (outcome.code !== 'NETWORK' && outcome.code !== 'TIMEOUT') return undefined;
    return hopeless.has(outcome) ? undefined : outcome.message;
  }

  function joined(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]);
  }

  /** Docker's habit: HTTPS, and plain HTTP when a loopback registry does not speak it. */
  async function probe(host: string): Promise<URL> {
    const secure = new URL(`https://${host}`);
    // A program with connections of its own has a reason for them.
    if (options.dispatcher === undefined && (await speaksNoTls(secure))) return new URL(`http://${host}`);
    const ping = { method: 'GET', url: `${secure.origin}/v2/`, what: host } satisfies HttpRequest;
    try {
      const response = await exchange(new URL(ping.url), {}, ping, closing.signal);
      await discard(response);
      return secure;
    } catch (error) {
      const refused = isOciError(error) && isUnreachable(error) && secure.port === '';
      if (refused || (isOciError(error) && isNoTlsServer(error))) return new URL(`http://${host}`);
      throw error;
    }
  }

  return {
    retry,
    connections: options.connectionsPerHost ?? DEFAULT_CONNECTIONS,
    limiter: options.limiter,
    sendsInPlace: options.dispatcher === undefined,
    onProgress,
    async origin(registry, { signal } = {}) {
      const host = apiHost(registry);
      if (policy.plainHttp) return new URL(`http://${host}`);
      if (!isLoopbackRegistry(host)) return new URL(`https://${host}`);
      const known = origins.get(host) ?? (await shared(probes, host, () => probe(host), joined(signal)));
      origins.set(host, known);
      return known;
    },
    request,
    async close() {
      closing.abort(new OciError('ABORTED', 'the transport was closed'));
      await dispatchers.destroy();
    },
  };
}

async function refuseUnlessAllowed(url: URL, registry: URL): Promise<void> {
  // An address in the URL itself is checked here, one that a name resolves to when it is connected to.
  const kinds = addressKind(url.hostname) === 'public' ? undefined : await registryKinds(registry);
  if (!realmAllowed(url, registry, kinds)) throw realmRefused(url.origin, registry.host);
}

function failure(error: unknown): OciError {
  if (isOciError(error)) return error;
  throw error;
}
