// A registry that fails in chosen ways: each request is answered with the next fault of a plan, in front of content in
// memory or of a real registry. Redirects lead to a second server, another host as far as HTTP is concerned.
import { once } from 'node:events';
import {
  type Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Digest } from '../../src/reference/digest.ts';
import { type Answer, type Asked, answerWith, type Fault, type Upstream } from './faults.ts';

export type { Answer, Asked, Fault, Upstream } from './faults.ts';

export interface FaultProxy {
  /** `127.0.0.1:40123` */
  address: string;
  /** Every request so far; those to the host of redirects are not among them. */
  requests: Asked[];
  close(): Promise<void>;
}

/** Starts one on loopback. `next` says what goes wrong with a request. */
export async function startFaultProxy(
  upstream: Upstream,
  next: (asked: Asked) => Fault = () => ({ type: 'none' }),
): Promise<FaultProxy> {
  const requests: Asked[] = [];
  const elsewhere = new Map<string, { storage: Fault; path: string }>();
  const failed = (error: unknown): never => {
    throw error;
  };

  function asAsked(request: IncomingMessage): Asked {
    return {
      method: request.method ?? 'GET',
      path: request.url ?? '/',
      headers: request.headers,
      body: request,
    };
  }

  const other = createServer((request, response) => {
    const asked = asAsked(request);
    const found = elsewhere.get(asked.path);
    if (found === undefined) {
      response.writeHead(403).end();
      return;
    }
    elsewhere.delete(asked.path);
    answerWith(
      found.storage,
      { ...asked, path: found.path, storage: true },
      response,
      upstream,
      () => '',
    ).catch(failed);
  });
  const server = createServer((request, response) => {
    const asked = asAsked(request);
    requests.push(asked);
    const redirect = (storage: Fault): string => {
      const path = `/storage/${elsewhere.size}-${requests.length}?signature=x`;
      elsewhere.set(path, { storage, path: asked.path });
      return `http://${addressOf(other)}${path}`;
    };
    answerWith(next(asked), asked, response, upstream, redirect).catch(failed);
  });
  for (const one of [server, other]) {
    one.listen(0, '127.0.0.1');
    await once(one, 'listening');
  }
  return {
    address: addressOf(server),
    requests,
    async close() {
      for (const one of [server, other]) {
        one.closeAllConnections();
        one.close();
        await once(one, 'close');
      }
    },
  };
}

function addressOf(server: Server): string {
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The real registry at `address` as an upstream; its answers are held in memory. */
export function behind(address: string, agent?: Agent): Upstream {
  const [host, port] = address.split(':');
  return async ({ method, path, headers, body: sent }) => {
    const request = httpRequest({ host, port, method, path, headers, ...(agent && { agent }) });
    const answered = once(request, 'response');
    // A registry that answers before it has read everything closes the connection while the rest is sent.
    request.on('error', () => {});
    if (sent === undefined) request.end();
    else sent.pipe(request);
    const [response] = (await answered) as [IncomingMessage];
    const body = await buffer(response);
    const kept = Object.entries(response.headers).filter(([name]) => name !== 'connection');
    return {
      status: response.statusCode ?? 500,
      headers: Object.fromEntries(kept) as Answer['headers'],
      body,
    };
  };
}

/** What a registry in memory has. */
export interface MemoryContent {
  blobs: Map<Digest, Buffer>;
  /** By tag, in every repository. */
  tags: Map<string, Digest>;
  /** Of what the manifests endpoint is asked for; the others are blobs. */
  mediaTypes: Map<Digest, string>;
}

/** Content in memory as an upstream, ranges included. It has every repository. */
export function memoryRegistry({ blobs, tags, mediaTypes }: MemoryContent): Upstream {
  return ({ path, headers }) => {
    if (path === '/v2/') return { status: 200, headers: { 'content-length': 2 }, body: Buffer.from('{}') };
    const [, kind, name = ''] = /\/(manifests|blobs)\/([^/?]+)$/.exec(path) ?? [];
    const digest = tags.get(name) ?? (name as Digest);
    const body = blobs.get(digest);
    if (body === undefined || (kind === 'manifests') !== mediaTypes.has(digest)) {
      return { status: 404, headers: { 'content-length': 0 }, body: Buffer.alloc(0) };
    }
    const part = ranged(body, kind === 'blobs' ? headers.range : undefined);
    const mediaType = mediaTypes.get(digest) ?? 'application/octet-stream';
    return {
      ...part,
      headers: { ...part.headers, 'docker-content-digest': digest, 'content-type': mediaType },
    };
  };
}

/** The content, or the part a Range header asks for. */
export function ranged(content: Buffer, range: string | undefined): Answer {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  if (first === undefined)
    return { status: 200, headers: { 'content-length': content.length }, body: content };
  const from = Number(first);
  if (from >= content.length) {
    return { status: 416, headers: { 'content-length': 0 }, body: Buffer.alloc(0) };
  }
  const to = Math.min(content.length, last === '' ? content.length : Number(last) + 1);
  const body = content.subarray(from, to);
  return {
    status: 206,
    headers: {
      'content-length': body.length,
      'content-range': `bytes ${from}-${to - 1}/${content.length}`,
    },
    body,
  };
}
