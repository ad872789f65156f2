// What the parts of this folder hand each other: requests, answers, and who adds the Authorization header.
import type { ReceivedBody } from './receive.ts';

/** A request for a registry or a token server. */
export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Readonly<Record<string, string>>;
  /**
   * Chunks can be sent once: such a request is neither tried again nor repeated with a new token. With
   * `Transport.sendsInPlace` a chunk may change as soon as the next one is asked for.
   */
  body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  /** What is wanted, for messages: `docker.io/library/alpine:3.20`. */
  what: string;
  signal?: AbortSignal | undefined;
  /** Hears that it is tried again, before the wait; `status` is what was answered, undefined when nothing was. */
  onSetback?: ((status: number | undefined) => void) | undefined;
  /** Adds credentials; asked for the request's own origin only. */
  authorizer?: Authorizer | undefined;
  /** The registry that told us to make this request: names must not lead into networks it is not on itself. */
  onBehalfOf?: URL | undefined;
}

/** An answer. The body must be poured or destroyed. */
export interface HttpResponse {
  status: number;
  headers: ResponseHeaders;
  body: ReceivedBody;
  /** Where it came from, after redirects. */
  url: URL;
}

/** Names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Knows what to send for one kind of access to one registry. */
export interface Authorizer {
  /** The Authorization header to send now; undefined for none. */
  header(signal: AbortSignal): Promise<string | undefined>;
  /**
   * Hears of a 401 and of the Authorization it answered. True when the request is worth repeating. `round` counts the
   * 401s of one request from 1.
   */
  challenged(
    headers: ResponseHeaders,
    sent: string | undefined,
    round: number,
    signal: AbortSignal,
  ): Promise<boolean>;
  /** For a host we were redirected to, which may challenge by itself: always anonymous (ggcr#2359). */
  elsewhere(url: URL): Authorizer;
}

/** A header's first value. */
export function header(headers: ResponseHeaders, name: string): string | undefined {
  return headerValues(headers, name)[0];
}

/** All values of a header that may stand several times. */
export function headerValues(headers: ResponseHeaders, name: string): string[] {
  const value = headers[name];
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}
