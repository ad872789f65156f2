// A registry in few lines over a place in memory: it records what it is asked, and can be told to answer otherwise.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { Digest } from '../../src/reference/digest.ts';
import type { Certificate } from './certificates.ts';
import { startHttpServer, type TestServer } from './http-server.ts';
import type { MemoryPlace } from './image-builder.ts';

export interface PlaceServer extends TestServer {
  /** Tag → image, in every repository. */
  tags: Map<string, Descriptor>;
  /** Answers a request itself and says so by `true`. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean;
  /** `GET /v2/…` */
  asked(): string[];
}

export async function servePlace(place: MemoryPlace, tls?: Certificate): Promise<PlaceServer> {
  const tags = new Map<string, Descriptor>();
  const server = await startHttpServer((request, response) => {
    if (self.intercept(request, response)) return;
    const [path = ''] = (request.url ?? '').split('?');
    const [, kind, reference = ''] = /^\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(path) ?? [];
    if (path === '/v2/') return void response.end('{}');
    const digest = (tags.get(reference)?.digest ?? reference) as Digest;
    const raw = place.blobs.get(digest);
    if (kind === undefined || raw === undefined) {
      response.writeHead(404, { 'content-type': 'application/json' });
      return void response.end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"not here"}]}');
    }
    const [, from = '', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from);
    const end = to === '' ? raw.length : Math.min(raw.length, Number(to) + 1);
    const isPart = start > 0 || to !== '';
    const known =
      kind === 'manifests' ? (JSON.parse(raw.toString()) as { mediaType?: string }).mediaType : undefined;
    response.writeHead(isPart ? 206 : 200, {
      'content-type': known ?? 'application/octet-stream',
      'content-length': end - start,
      'docker-content-digest': digest,
      ...(isPart ? { 'content-range': `bytes ${start}-${end - 1}/${raw.length}` } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : raw.subarray(start, end));
  }, tls);
  const self: PlaceServer = {
    ...server,
    tags,
    intercept: () => false,
    asked: () => server.requests.map(({ method, url }) => `${method} ${url}`),
  };
  return self;
}
