// A worker thread that hashes files while they are written, several at once. Bytes come back from the page cache.
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { createDigester, type Digest, type DigestAlgorithm, type Digester } from '../reference/digest.ts';

/** What the ingest tells the worker. */
export type HashRequest =
  /** `fd` is closed by the ingest, after the answer. */
  | { type: 'begin'; id: number; fd: number; algorithm: DigestAlgorithm }
  /** The file has `to` bytes. */
  | { type: 'advance'; id: number; to: number }
  | { type: 'end'; id: number }
  | { type: 'drop'; id: number };

/** The worker is done with a file. */
export interface HashAnswer {
  id: number;
  /** Undefined when it was dropped. */
  digest: Digest | undefined;
}

const CHUNK = 1024 * 1024;

const port = parentPort;
if (port !== null) {
  const files = new Map<number, { fd: number; digester: Digester; at: number }>();
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  port.on('message', (request: HashRequest) => {
    const { id } = request;
    if (request.type === 'begin') {
      files.set(id, { fd: request.fd, digester: createDigester(request.algorithm), at: 0 });
      return;
    }
    const file = files.get(id);
    if (file === undefined) return;
    if (request.type === 'advance') {
      while (file.at < request.to) {
        const length = readSync(file.fd, buffer, 0, Math.min(CHUNK, request.to - file.at), file.at);
        if (length === 0) break;
        file.digester.update(buffer.subarray(0, length));
        file.at += length;
      }
      return;
    }
    files.delete(id);
    const digest = request.type === 'end' ? file.digester.digest() : undefined;
    port.postMessage({ id, digest } satisfies HashAnswer);
  });
}
