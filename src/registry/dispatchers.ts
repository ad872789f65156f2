// Builds undici's connections: TLS trust, client certificate, proxies from the environment, limits and timeouts.
import { X509Certificate } from 'node:crypto';
import { lookup as dnsLookup } from 'node:dns';
import { lookup as resolveAll } from 'node:dns/promises';
import type { LookupFunction, OnReadOpts, Socket } from 'node:net';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { OciError } from '../errors.ts';
import { type AddressKind, addressKind } from './address.ts';
import type { HttpRequest } from './http.ts';
import { kindAllowed, realmRefused } from './realm.ts';
import type { TransportOptions } from './transport.ts';

/** The dispatchers of one transport. */
export interface Dispatchers {
  /** The dispatcher for a request to a URL. */
  for(url: URL, request: Pick<HttpRequest, 'method' | 'onBehalfOf'>): Dispatcher;
  destroy(): Promise<void>;
}

/** Artifact Registry sends 21 KB of headers; Node's default limit is 16 KB. */
const MAX_HEADER_BYTES = 65_536;
/** To one host. */
export const DEFAULT_CONNECTIONS = 6;
const CONNECT_TIMEOUT_MS = 15_000;
/** Bytes taken from a connection at a time. */
const READ_BYTES = 128 * 1024;
/**
 * A socket that is full with one byte asks for more only when the kernel has taken all, or TLS has encrypted it: the memory
 * of a chunk is free then (`HttpRequest.body`).
 */
const IN_PLACE = { highWaterMark: 1 };
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'];

/** Builds them; no connection is made and no certificate read before the first request. */
export function createDispatchers(options: TransportOptions, timeoutMs: number): Dispatchers {
  if (options.dispatcher !== undefined) {
    const injected = options.dispatcher;
    return { for: () => injected, destroy: async () => {} };
  }
  const tls = lazyTls(options);
  const connect = {
    timeout: Math.min(timeoutMs, options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS),
    // One HTTP/2 connection with small windows: 4 MB/s at 50 ms RTT, against 41 to 103 MB/s on HTTP/1.1.
    allowH2: false,
  };
  const agentOptions: Agent.Options = {
    allowH2: false,
    connections: options.connectionsPerHost ?? DEFAULT_CONNECTIONS,
    maxHeaderSize: MAX_HEADER_BYTES,
  };
  const direct = new Agent({ ...agentOptions, connect: lazyConnector(connect, tls) });
  // Writes have connections of their own, and more: six downloads from a registry that wait for their six uploads to it
  // would hold every connection the uploads need.
  const writing = new Agent({
    ...agentOptions,
    connections: 2 * (options.connectionsPerHost ?? DEFAULT_CONNECTIONS),
    connect: lazyConnector({ ...connect, ...IN_PLACE }, tls),
  });
  const wantsProxy = PROXY_VARIABLES.some((name) => process.env[name]);
  const proxied: { reading?: EnvHttpProxyAgent; writing?: EnvHttpProxyAgent } = {};
  const guarded = new Map<string, Agent>();

  function throughProxies(kind: 'reading' | 'writing'): EnvHttpProxyAgent {
    const agent = new EnvHttpProxyAgent({
      ...agentOptions,
      connect: lazyConnector({ ...connect, ...IN_PLACE }, tls),
      requestTls: {
        ...connect,
        ...IN_PLACE,
        secureContext: tls.context(),
        rejectUnauthorized: tls.verify,
      },
      proxyTls: { ...connect, ...IN_PLACE, secureContext: tls.context() },
    });
    proxied[kind] = agent;
    return agent;
  }

  function guardedFor(registry: URL): Agent {
    let agent = guarded.get(registry.hostname);
    if (agent === undefined) {
      const lookup = guardedLookup(registry);
      agent = new Agent({ ...agentOptions, connect: lazyConnector({ ...connect, lookup }, tls) });
      guarded.set(registry.hostname, agent);
    }
    return agent;
  }

  return {
    for(url, { method, onBehalfOf }) {
      const kind = method === 'GET' || method === 'HEAD' ? 'reading' : 'writing';
      // Loopback is never asked through a proxy, whatever NO_PROXY says: Go's clients have it so.
      if (wantsProxy && addressKind(url.hostname) !== 'loopback')
        return proxied[kind] ?? throughProxies(kind);
      if (onBehalfOf !== undefined && onBehalfOf.hostname !== url.hostname) return guardedFor(onBehalfOf);
      return kind === 'reading' ? direct : writing;
    },
    async destroy() {
      await Promise.all([
        direct.destroy(),
        writing.destroy(),
        proxied.reading?.destroy(),
        proxied.writing?.destroy(),
        ...[...guarded.values()].map((agent) => agent.destroy()),
      ]);
    },
  };
}

interface Tls {
  verify: boolean;
  context(): SecureContext;
}

/** The TLS context, made once: reading the system's certificates costs 50 ms, the context 14 ms. */
function lazyTls(options: TransportOptions): Tls {
  let context: SecureContext | undefined;
  return {
    verify: options.insecure !== true,
    context() {
      context ??= createContext(options);
      return context;
    },
  };
}

function createContext({ ca, cert, key }: TransportOptions): SecureContext {
  // A `ca` replaces Node's defaults, so they are named along with it.
  const trusted = new Set([...getCACertificates('default'), ...getCACertificates('system')]);
  try {
    if (ca !== undefined) {
      // The context takes what is no certificate without a word.
      new X509Certificate(ca);
      trusted.add(ca);
    }
    return createSecureContext({ ca: [...trusted], cert, key });
  } catch (error) {
    throw new OciError('TLS', `cannot set up TLS: ${(error as Error).message}`, {
      hint: 'check the files of --ca and of the client certificate: PEM is expected',
      cause: error,
    });
  }
}

/**
 * Connects without TLS so that bodies are read into the same memory again and again: a body is lent (receive.ts), and
 * 64 KiB of new memory for every read cost more than reading. Two buffers, because one chunk may still be lent, its
 * body paused, when the next has been read; with a high-water mark of one byte there is never a third. TLS decrypts
 * several chunks in one go, whatever we say, and keeps memory of its own.
 */
function plainConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  return (target, callback) => {
    const buffers = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)];
    let turn = 0;
    const onread: OnReadOpts = {
      buffer: () => buffers[turn++ % 2] as Buffer,
      callback(length, buffer) {
        (this as unknown as Socket).push(buffer.subarray(0, length));
        return false;
      },
    };
    const reading = { ...options, ...IN_PLACE, onread };
    buildConnector(reading)(target, callback);
  };
}

function lazyConnector(options: buildConnector.BuildOptions, tls: Tls): buildConnector.connector {
  const plain = plainConnector(options);
  let secure: buildConnector.connector | undefined;
  return (target, callback) => {
    if (target.protocol !== 'https:') return plain(target, callback);
    try {
      secure ??= buildConnector({
        ...options,
        secureContext: tls.context(),
        rejectUnauthorized: tls.verify,
      });
    } catch (error) {
      callback(error as OciError, null);
      return;
    }
    secure(target, callback);
  };
}

/** A name lookup that refuses addresses on networks the registry is not on itself: names can point anywhere. */
function guardedLookup(registry: URL): LookupFunction {
  return (hostname, options, callback) => {
    dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      void registryKinds(registry).then((kinds) => {
        const refused = addresses.find(({ address }) => !kindAllowed(addressKind(address), kinds));
        const first = addresses[0];
        if (refused !== undefined || first === undefined) {
          callback(realmRefused(`${hostname} (${refused?.address ?? 'no address'})`, registry.host), '');
        } else if (options.all === true) {
          callback(null, addresses);
        } else {
          callback(null, first.address, first.family);
        }
      });
    });
  };
}

/** The kinds of networks the registry's host is on; just the text's when its name cannot be resolved here. */
export async function registryKinds(registry: URL): Promise<AddressKind[]> {
  const byName = addressKind(registry.hostname);
  if (byName !== 'public') return [byName];
  const addresses = await resolveAll(registry.hostname.replace(/^\[(.*)\]$/, '$1'), { all: true }).catch(
    () => [],
  );
  return [byName, ...addresses.map(({ address }) => addressKind(address))];
}
