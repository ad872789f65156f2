// A registry of one blob that fails in chosen ways: each request for the blob takes the next fault of the plan.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { Digest } from '../../src/reference/digest.ts';

export type Fault =
  | { type: 'none' }
  /** The connection is reset after `at` bytes of the body. */
  | { type: 'reset'; at: number }
  /** No Content-Length, and a clean end after `at` bytes. */
  | { type: 'short'; at: number }
  /** A Content-Length of `at`, kept: an honest answer that is too short. */
  | { type: 'truncated'; at: number }
  /** The server goes silent after `at` bytes. */
  | { type: 'stall'; at: number }
  /** More bytes than there are, for ever. */
  | { type: 'endless' }
  /** 200 and the whole blob, whatever range was asked for. */
  | { type: 'ignore-range' }
  /** 206 with this Content-Range, or none. */
  | { type: 'wrong-range'; contentRange: string | undefined }
  | { type: 'status'; status: number; headers?: Record<string, string>; body?: string };

export interface FaultServer {
  /** `127.0.0.1:40123` */
  address: string;
  descriptor: Descriptor;
  /** The Range header of each request for the blob, in order. */
  ranges: (string | undefined)[];
  close(): Promise<void>;
}

/** Starts one on loopback. Without a fault left in the plan the blob is served well, ranges included. */
export async function startFaultServer(content: Buffer, plan: Fault[]): Promise<FaultServer> {
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}` as Digest;
  const ranges: (string | undefined)[] = [];
  const faults = [...plan];

  function serve(request: IncomingMessage, response: ServerResponse): void {
    if (request.url === '/v2/') {
      response.end('{}');
      return;
    }
    const { range } = request.headers;
    ranges.push(range);
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const fault = faults.shift() ?? { type: 'none' };
    if (fault.type === 'status') {
      response.writeHead(fault.status, fault.headers).end(fault.body ?? '');
      return;
    }
    if (fault.type === 'ignore-range') {
      response.writeHead(200, { 'content-length': content.length }).end(content);
      return;
    }
    const part = content.subarray(from);
    const headers: Record<string, string | number> = { 'content-length': part.length };
    if (range !== undefined)
      headers['content-range'] = `bytes ${from}-${content.length - 1}/${content.length}`;
    const status = range === undefined ? 200 : 206;
    switch (fault.type) {
      case 'none':
        response.writeHead(status, headers).end(part);
        return;
      case 'wrong-range':
        delete headers['content-range'];
        if (fault.contentRange !== undefined) headers['content-range'] = fault.contentRange;
        response.writeHead(206, headers).end(part);
        return;
      case 'reset':
        response.writeHead(status, headers);
        response.write(part.subarray(0, fault.at), () => response.socket?.resetAndDestroy());
        return;
      case 'stall':
        response.writeHead(status, headers).write(part.subarray(0, fault.at));
        return;
      case 'truncated':
        headers['content-length'] = fault.at;
        response.writeHead(status, headers).end(part.subarray(0, fault.at));
        return;
      case 'short':
        delete headers['content-length'];
        response.useChunkedEncodingByDefault = false;
        response.writeHead(status, { ...headers, connection: 'close' }).end(part.subarray(0, fault.at));
        return;
      case 'endless': {
        delete headers['content-length'];
        response.writeHead(status, headers).write(part);
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        };
        response.on('drain', more);
        more();
      }
    }
  }

  const server = createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    descriptor: { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: content.length },
    ranges,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
