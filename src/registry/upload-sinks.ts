// The three ways a blob's bytes reach a registry: whole from memory, as one stream, or in chunks that can be sent again.
import type { Descriptor } from '../manifest/descriptor.ts';
import { discard } from './body.ts';
import type { HttpResponse } from './http.ts';
import type { Session } from './session.ts';
import { isDone, patchUpload, putUpload, type Upload, uploadFrom } from './upload-session.ts';
import { openUploadStream, type UploadStream } from './upload-stream.ts';

/** Takes the bytes of one upload in order. */
export interface Sink {
  /** The chunk is not needed any more once this returns, or once what it returned resolves. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** All bytes were written; the registry's last answer. */
  finish(): Promise<HttpResponse>;
}

export interface SinkOptions {
  session: Session;
  descriptor: Descriptor;
  upload: Upload;
  /** Bytes the registry has already. */
  offset: number;
  /** For `chunkSink`: the size of all but the last. */
  chunkBytes: number;
  what: string;
  signal: AbortSignal;
  /** Hears where the upload is now. */
  moved(upload: Upload): void;
  /** The error for an answer that is no success. */
  refuse(response: HttpResponse): Promise<never>;
}

/** Bytes up to which a blob is held in memory: one request, repeated as it is when it fails. */
export const WHOLE_LIMIT = 4 << 20;
/** Bytes of a chunk, tried in this order: many backends take no part under 5 MiB, nginx by itself no body over 1 MiB. */
const CHUNK_BYTES = [8 << 20, 1 << 20, 256 << 10];

/** The chunks to try when a body of `refused` bytes was too large; undefined when there are no smaller ones. */
export function smallerChunk(refused: number, { minChunk }: Upload): number | undefined {
  return [minChunk, ...CHUNK_BYTES]
    .sort((a, b) => b - a)
    .find((bytes) => bytes > 0 && bytes < refused && bytes >= minChunk);
}

export function wholeSink({ session, descriptor, upload, what, signal }: SinkOptions): Sink {
  const chunks: Uint8Array[] = [];
  return {
    write: (chunk) => void chunks.push(Buffer.from(chunk)),
    finish() {
      const body = Buffer.concat(chunks);
      return putUpload(session, upload, descriptor, { body, length: body.length, what, signal });
    },
  };
}

/** Everything in one request: the PUT of a new upload; a PATCH of what is missing, and then a PUT, of one taken up. */
export function streamSink(options: SinkOptions): Sink {
  const { session, descriptor, upload, offset, what, signal, moved, refuse } = options;
  const length = descriptor.size - offset;
  let stream: UploadStream | undefined;

  function open(): UploadStream {
    return openUploadStream((body) =>
      offset === 0
        ? putUpload(session, upload, descriptor, { body, length, what, signal })
        : patchUpload(session, upload, { body, at: offset, length, what, signal }),
    );
  }

  return {
    write(chunk) {
      stream ??= open();
      // An answer before the end is a refusal: the rest need not be sent.
      if (stream.isOver) return stream.end().then(refuse);
      return stream.write(session.transport.sendsInPlace ? chunk : Buffer.from(chunk));
    },
    async finish() {
      const answer = await stream?.end();
      if (answer !== undefined && offset === 0) return answer;
      if (answer !== undefined && !isDone(answer.status)) return await refuse(answer);
      const at = answer === undefined ? upload : uploadFrom(answer, what, upload);
      if (answer !== undefined) await discard(answer);
      moved(at);
      return await putUpload(session, at, descriptor, { length: 0, what, signal });
    },
  };
}

/** Chunk by chunk, each held in memory until the registry has it; for what refuses large requests. */
export function chunkSink(options: SinkOptions): Sink {
  const { session, descriptor, chunkBytes, what, signal, moved, refuse } = options;
  let upload = options.upload;
  let at = options.offset;
  let chunks: Uint8Array[] = [];
  let held = 0;

  async function flush(): Promise<void> {
    const body = Buffer.concat(chunks);
    const answer = await patchUpload(session, upload, { body, at, length: body.length, what, signal });
    if (!isDone(answer.status)) await refuse(answer);
    upload = uploadFrom(answer, what, upload);
    await discard(answer);
    moved(upload);
    at += body.length;
    chunks = [];
    held = 0;
  }

  async function writeAll(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; ) {
      const part = chunk.subarray(from, from + chunkBytes - held);
      chunks.push(Buffer.from(part));
      held += part.length;
      from += part.length;
      if (held === chunkBytes) await flush();
    }
  }

  return {
    write(chunk) {
      if (held + chunk.length >= chunkBytes) return writeAll(chunk);
      chunks.push(Buffer.from(chunk));
      held += chunk.length;
    },
    async finish() {
      if (held > 0) await flush();
      return await putUpload(session, upload, descriptor, { length: 0, what, signal });
    },
  };
}
