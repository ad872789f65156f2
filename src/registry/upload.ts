// Blobs on their way into a repository. What was cut off goes on where the registry's own count of bytes says; the source
// gives those bytes once more, so that nothing of a large blob is kept in memory.
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Ingest, IngestOptions } from '../place/place.ts';
import { createVerifier, type Verifier } from '../place/verify.ts';
import type { Digest } from '../reference/digest.ts';
import { beginUpload, type MountHabits } from './begin-upload.ts';
import { discard } from './body.ts';
import { existsIn } from './exists.ts';
import { nameOf } from './fetch-content.ts';
import { type HttpResponse, header } from './http.ts';
import { isRetriedStatus, parseRetryAfter, pause, retryDelay } from './retry.ts';
import type { Session } from './session.ts';
import { cancelUpload, isDone, type Upload, uploadStatus } from './upload-session.ts';
import { chunkSink, type Sink, smallerChunk, streamSink, WHOLE_LIMIT, wholeSink } from './upload-sinks.ts';

/** What is remembered of a blob between two attempts. */
interface Attempts {
  upload: Upload | undefined;
  /** Bytes of a chunk, when one request for everything was too large. */
  chunkBytes: number | undefined;
  count: number;
  /** How far the last failed attempt got. */
  reached: number;
}

/** A failure of the registry's, which another attempt may mend. */
interface Setback {
  error: unknown;
  retryAfterMs?: number | undefined;
}

/** Bytes that count as progress: whoever gets this far starts counting attempts anew. */
const PROGRESS_BYTES = 1 << 20;
/** The upload is unknown by now, or stands at another byte: its status tells. */
const LOST_TRACK = new Set([404, 416]);

/** Takes blobs into one repository. */
export interface Uploader {
  /** Undefined when the blob is there, or was mounted from `from`, another repository of the registry. */
  ingest(
    descriptor: Descriptor,
    options: IngestOptions & { mountFrom?: string | undefined },
  ): Promise<Ingest | undefined>;
}

/** `session` may write. */
export function createUploader(session: Session): Uploader {
  const habits: MountHabits = { refused: new Set() };
  const kept = new Map<Digest, Attempts>();

  return {
    async ingest(descriptor, { signal, mountFrom }) {
      const { digest } = descriptor;
      const what = nameOf(session, descriptor);
      const attempts = kept.get(digest) ?? { upload: undefined, chunkBytes: undefined, count: 0, reached: 0 };
      if (attempts.upload !== undefined) {
        const status = await uploadStatus(session, attempts.upload, what, signal);
        attempts.upload = status?.upload;
        if (status !== undefined && status.offset <= descriptor.size) return open(status.offset);
      }
      // After a lost answer the blob may be there, too.
      if (await existsIn(session, descriptor, signal)) {
        kept.delete(digest);
        return undefined;
      }
      attempts.upload = await beginUpload(session, habits, descriptor, { from: mountFrom, what, signal });
      return attempts.upload === undefined ? undefined : open(0);

      function open(offset: number): Ingest {
        kept.set(digest, attempts);
        return openUpload({
          session,
          descriptor,
          what,
          attempts,
          offset,
          signal,
          forget: () => kept.delete(digest),
        });
      }
    },
  };
}

interface UploadOptions {
  session: Session;
  descriptor: Descriptor;
  what: string;
  attempts: Attempts;
  offset: number;
  signal: AbortSignal | undefined;
  forget(): void;
}

function openUpload({ session, descriptor, what, attempts, offset, signal, forget }: UploadOptions): Ingest {
  const stop = new AbortController();
  const { transport } = session;
  // The digest of bytes sent by an earlier attempt is the registry's to check, as it does of every upload.
  const verifier: Verifier | undefined = offset === 0 ? createVerifier(descriptor) : undefined;
  let written = offset;
  let setback: Setback | undefined;

  async function refuse(response: HttpResponse): Promise<never> {
    const { status } = response;
    const retryAfterMs = parseRetryAfter(header(response.headers, 'retry-after'));
    const error = await session.failure(response, { what, kind: 'upload' });
    const smaller = status === 413 ? smallerChunk(largest, upload) : undefined;
    if (LOST_TRACK.has(status) || smaller !== undefined) {
      setback = { error };
      attempts.chunkBytes = smaller ?? attempts.chunkBytes;
      // The spec's 404 is an upload that the registry let go.
      if (status !== 416) attempts.upload = undefined;
    } else if (mode === 'stream' && (isRetriedStatus(status) || status === 401)) {
      // A 401 to a stream has a new token waiting; memory is sent again by the transport.
      setback = { error, retryAfterMs };
    } else if (isOciError(error, 'DIGEST_MISMATCH')) {
      // Nothing of it may be taken up again.
      attempts.upload = undefined;
    }
    throw error;
  }

  const upload = attempts.upload as Upload;
  const chunkBytes = attempts.chunkBytes ?? descriptor.size;
  const largest = Math.min(chunkBytes, descriptor.size - offset);
  const mode =
    chunkBytes < descriptor.size
      ? 'chunks'
      : offset === 0 && descriptor.size <= WHOLE_LIMIT
        ? 'whole'
        : 'stream';
  const sink: Sink = { whole: wholeSink, stream: streamSink, chunks: chunkSink }[mode]({
    session,
    descriptor,
    upload,
    offset,
    chunkBytes,
    what,
    signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
    moved: (now) => {
      attempts.upload = now;
    },
    refuse,
  });

  function failed(error: unknown): never {
    const broken = isOciError(error, 'NETWORK') || isOciError(error, 'TIMEOUT');
    if (mode === 'stream' && broken) setback = { error };
    throw error;
  }

  return {
    offset,
    takesAtOnce: true,
    write(chunk) {
      verifier?.update(chunk);
      written += chunk.length;
      try {
        const wait = transport.limiter?.take(chunk.length) ?? 0;
        const sent = sink.write(chunk)?.catch(failed);
        return wait === 0 ? sent : Promise.all([sent, pause(wait, stop.signal)]).then(() => {});
      } catch (error) {
        failed(error);
      }
    },
    async commit() {
      try {
        verifier?.end();
      } catch (error) {
        await drop();
        throw error;
      }
      try {
        const answer = await sink.finish();
        if (!isDone(answer.status)) await refuse(answer);
        await discard(answer);
      } catch (error) {
        stop.abort();
        failed(error);
      }
      forget();
    },
    async suspend() {
      stop.abort();
    },
    async restart() {
      throw new Error('an upload starts over with a new ingest');
    },
    abort: drop,
    async recover(error) {
      if (setback === undefined || setback.error !== error) return false;
      attempts.count = written - attempts.reached >= PROGRESS_BYTES ? 1 : attempts.count + 1;
      attempts.reached = written;
      const attempt = attempts.count;
      if (attempt > transport.retry.retries) {
        attempts.count = 0;
        return false;
      }
      const delayMs = retryDelay(transport.retry, attempt, setback.retryAfterMs);
      const reason = error instanceof Error ? error.message : String(error);
      transport.onProgress({ type: 'retrying', what, reason, attempt, delayMs, digest: descriptor.digest });
      await pause(delayMs, signal ?? new AbortController().signal);
      return true;
    },
  };

  async function drop(): Promise<void> {
    stop.abort();
    forget();
    const last = attempts.upload;
    attempts.upload = undefined;
    if (last !== undefined) await cancelUpload(session, last, what);
  }
}
