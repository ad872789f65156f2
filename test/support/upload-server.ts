// A registry of uploads by the letter of the distribution spec: what came of a request that was cut is kept, and its
// status told. (docker-registry 2.8 drops an upload whose request was cut.) Faults are chosen by the test.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf } from '../../src/reference/digest.ts';

export interface UploadFaults {
  /** Each resets one request of more than a megabyte, after that many of its bytes. */
  cuts?: number[];
  /** Answers to the first such requests, by their status, instead of taking them. */
  refusals?: number[];
  /** Larger bodies are answered with 413, before they are read. */
  maxBody?: number;
  /** This many large uploads are called wrong at their end, whatever came, and kept. */
  spoilt?: number;
  /** `OCI-Chunk-Min-Length`. */
  minChunk?: number;
}

export interface UploadServer {
  /** `127.0.0.1:40123` */
  address: string;
  blobs: Map<string, Buffer>;
  manifests: Map<string, Buffer>;
  /** `METHOD path-without-identifiers`, with the length of the body that came. */
  requests: { method: string; url: string; range: string | undefined; bytes: number }[];
  close(): Promise<void>;
}

export async function startUploadServer(faults: UploadFaults = {}): Promise<UploadServer> {
  const blobs = new Map<string, Buffer>();
  const manifests = new Map<string, Buffer>();
  const uploads = new Map<string, Buffer>();
  const requests: UploadServer['requests'] = [];
  const cuts = [...(faults.cuts ?? [])];
  const refusals = [...(faults.refusals ?? [])];
  let count = 0;
  let spoilt = faults.spoilt ?? 0;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const { pathname, searchParams } = new URL(url, 'http://x');
    const told = { method, url, range: request.headers['content-range'], bytes: 0 };
    requests.push(told);
    const end = (status: number, headers: Record<string, string> = {}): void => {
      response.writeHead(status, headers).end();
    };
    const [, kind, name] = /\/(blobs|manifests)\/(?!uploads)([^/]+)$/.exec(pathname) ?? [];
    if (method === 'HEAD' && kind !== undefined) {
      const found = (kind === 'blobs' ? blobs : manifests).get(name!);
      return end(found === undefined ? 404 : 200, found && { 'docker-content-digest': digestOf(found) });
    }
    if (method === 'PUT' && kind === 'manifests') {
      const raw = await read(request, told);
      manifests.set(name!, raw);
      manifests.set(digestOf(raw), raw);
      return end(201, { 'docker-content-digest': digestOf(raw) });
    }
    if (method === 'POST') {
      count += 1;
      uploads.set(String(count), Buffer.alloc(0));
      const least = faults.minChunk === undefined ? {} : { 'oci-chunk-min-length': String(faults.minChunk) };
      return end(202, { location: `/v2/uploads/${count}?state=a%2Fb`, ...least });
    }
    const id = /\/uploads\/(\d+)$/.exec(pathname)?.[1] ?? '';
    const held = uploads.get(id);
    if (held === undefined || searchParams.get('state') !== 'a/b')
      return end(pathname === '/v2/' ? 200 : 404);
    const location = { location: url.replace(/&digest.*/, ''), range: `0-${Math.max(0, held.length - 1)}` };
    if (method === 'GET') return end(204, location);
    if (method === 'DELETE') {
      uploads.delete(id);
      return end(204);
    }
    const length = Number(request.headers['content-length'] ?? 0);
    if (length > (faults.maxBody ?? Number.POSITIVE_INFINITY)) return end(413, { connection: 'close' });
    const isLarge = length > 1_000_000;
    const refusal = isLarge ? refusals.shift() : undefined;
    if (refusal !== undefined) {
      request.resume();
      return end(refusal);
    }
    const from = Number(/^(\d+)-/.exec(told.range ?? '')?.[1] ?? 0);
    if (length > 0 && from !== held.length) return end(416, location);
    const cut = isLarge ? cuts.shift() : undefined;
    const part = await read(request, told, cut);
    const all = Buffer.concat([held, part]);
    uploads.set(id, all);
    if (cut !== undefined) {
      request.socket.resetAndDestroy();
      return;
    }
    location.range = `0-${all.length - 1}`;
    if (method === 'PATCH') return end(202, location);
    const digest = searchParams.get('digest') ?? '';
    if (all.length > 1_000_000 && spoilt > 0) spoilt -= 1;
    else if (digestOf(all) === digest) {
      blobs.set(digest, all);
      uploads.delete(id);
      return end(201);
    }
    response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID"}]}');
  }

  // A client that leaves in the middle of its request is no failure here; whatever else fails is told by the cut.
  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    blobs,
    manifests,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The body, or its first `limit` bytes. */
async function read(request: IncomingMessage, told: { bytes: number }, limit?: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    told.bytes += chunk.length;
    if (limit !== undefined && told.bytes >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}
