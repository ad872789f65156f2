// Talks to one configured address as the parts of this folder talk to any registry: behind the same `Transport`, with the
// address, the path, the headers and the TLS that the configuration gives.

import { isOciError } from '../errors.ts';
import { apiHost } from '../reference/registry-host.ts';
import { discard } from './body.ts';
import type { HttpRequest } from './http.ts';
import { isUnreachable } from './network-error.ts';
import type { Endpoint } from './route.ts';
import { speaksNoTls } from './tls-peek.ts';
import { createTransport, type Transport, type TransportOptions } from './transport.ts';

/** The transports of one client: hosts with the same TLS share their connections. */
export interface EndpointTransports {
  /** For the registry itself: the client's own options hold, its client certificate included. */
  origin(endpoint: Endpoint): Promise<Transport>;
  /** For a mirror: what was said about the registry does not hold for it. It is not asked twice: there are others. */
  mirror(endpoint: Endpoint): Transport;
  close(): Promise<void>;
}

/** The longest a mirror may say nothing, milliseconds: whoever has no answer by then is slower than the registry itself. */
const MIRROR_TIMEOUT_MS = 15_000;

export function createEndpointTransports(
  options: TransportOptions,
  main: () => Promise<Transport>,
): EndpointTransports {
  const made = new Map<string, Transport>();

  function shared(own: TransportOptions): Transport {
    const { ca, cert, key, insecure, plainHttp, timeoutMs, connectTimeoutMs, retry } = own;
    const { retries } = retry ?? {};
    const id = JSON.stringify({ ca, cert, key, insecure, plainHttp, timeoutMs, connectTimeoutMs, retries });
    const transport = made.get(id) ?? createTransport(own);
    made.set(id, transport);
    return transport;
  }

  return {
    async origin(endpoint) {
      const { tls } = endpoint;
      if (endpoint.origin === undefined && isPlain(endpoint)) return await main();
      const own = {
        ...options,
        ca: joined(options.ca, tls.ca),
        cert: options.cert ?? tls.cert,
        key: options.key ?? tls.key,
        insecure: options.insecure === true || tls.insecure === true,
        plainHttp: options.plainHttp === true || endpoint.origin?.startsWith('http:') === true,
        connectTimeoutMs: endpoint.dialTimeoutMs ?? options.connectTimeoutMs,
      };
      return at(endpoint, shared(own));
    },
    mirror(endpoint) {
      const { tls } = endpoint;
      const own = {
        ...options,
        ca: joined(options.ca, tls.ca),
        cert: tls.cert,
        key: tls.key,
        insecure: tls.insecure === true,
        plainHttp: endpoint.origin?.startsWith('http:') === true,
        connectTimeoutMs: endpoint.dialTimeoutMs,
        timeoutMs: Math.min(options.timeoutMs ?? MIRROR_TIMEOUT_MS, MIRROR_TIMEOUT_MS),
        retry: { ...options.retry, retries: 0 },
      };
      return at(endpoint, shared(own));
    },
    async close() {
      await Promise.all([...made.values()].map((transport) => transport.close()));
    },
  };
}

/** True when nothing but its name is known of it. */
function isPlain({ tls, headers, dialTimeoutMs }: Endpoint): boolean {
  if (dialTimeoutMs !== undefined) return false;
  return Object.values(tls).every((value) => value === undefined) && Object.keys(headers).length === 0;
}

function joined(...authorities: (string | undefined)[]): string | undefined {
  const known = authorities.filter((pem) => pem !== undefined);
  return known.length === 0 ? undefined : known.join('\n');
}

/** The transport, sending what is meant for the API to the endpoint's own address and path. */
function at(endpoint: Endpoint, inner: Transport): Transport {
  let address: Promise<URL> | undefined;

  async function findAddress(): Promise<URL> {
    const { origin, tls, name } = endpoint;
    if (tls.insecure === true) {
      const host = origin === undefined ? apiHost(name.registry) : new URL(origin).host;
      if (origin?.startsWith('https:') !== true) return await tryBoth(inner, host);
    }
    return origin === undefined ? await inner.origin(name.registry) : new URL(origin);
  }

  /** Only what goes to the API: a token server on the same host is none of it. */
  function directed(request: HttpRequest, { origin }: URL): HttpRequest {
    const url = new URL(request.url);
    if (url.origin !== origin || !/^\/v2(?:\/|$)/.test(url.pathname)) return request;
    const { path, namespace, headers } = endpoint;
    if (path !== '/v2' && !url.pathname.startsWith(`${path}/`))
      url.pathname = path + url.pathname.slice('/v2'.length);
    if (namespace !== undefined && !url.searchParams.has('ns')) {
      // Appended, so that what an upload's address has in its query stays as it is.
      url.search += `${url.search === '' ? '?' : '&'}ns=${encodeURIComponent(namespace)}`;
    }
    return { ...request, url: url.href, headers: { ...headers, ...request.headers } };
  }

  async function origin(): Promise<URL> {
    address ??= findAddress();
    address.catch(() => (address = undefined));
    return await address;
  }

  return {
    retry: inner.retry,
    connections: inner.connections,
    limiter: inner.limiter,
    sendsInPlace: inner.sendsInPlace,
    onProgress: inner.onProgress,
    origin,
    request: async (request) => inner.request(directed(request, await origin())),
    // Whoever made the shared transport closes it.
    close: async () => {},
  };
}

/** `insecure` means HTTPS with any certificate, or else plain HTTP. */
async function tryBoth(inner: Transport, host: string): Promise<URL> {
  const secure = new URL(`https://${host}`);
  const plain = new URL(`http://${host}`);
  if (await speaksNoTls(secure)) return plain;
  if (secure.port !== '') return secure;
  try {
    await discard(await inner.request({ method: 'GET', url: `${secure.origin}/v2/`, what: host }));
    return secure;
  } catch (error) {
    if (isOciError(error) && isUnreachable(error)) return plain;
    throw error;
  }
}
