// The bytes of a blob as one stream, whatever the network does: a connection that breaks off is taken up again where
// it stopped, from the registry's own address, so that an expired signed URL is replaced by a fresh one.
import { Readable } from 'node:stream';
import { abortError, type OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { OnProgress } from '../place/progress.ts';
import { parseContentLength, parseContentRange } from './content-range.ts';
import { type HttpResponse, header } from './http.ts';
import { networkError } from './network-error.ts';
import { pause, type RetryPolicy, retryDelay } from './retry.ts';

/** What a stream needs of its repository. */
export interface BlobRequests {
  /** Asks for the blob from byte `offset` on (no range when 0); throws unless the answer is 200, 206 or 416. */
  get(offset: number): Promise<HttpResponse>;
  /** For messages. */
  what: string;
  retry: RetryPolicy;
  onProgress: OnProgress;
  signal: AbortSignal;
}

/** An answer whose body begins `skip` bytes before what was asked for. */
interface Opened {
  response: HttpResponse;
  skip: number;
  /** Bytes the body promises from what was asked for on; undefined when it does not say. */
  promised: number | undefined;
}

/**
 * The blob from `offset` on. Resolves when the first answer is there. The stream ends early only when the registry has
 * fewer bytes than the descriptor says, and gives one chunk too many when it has more: the reader's verifier tells.
 */
export async function openBlobStream(
  requests: BlobRequests,
  descriptor: Descriptor,
  offset: number,
): Promise<Readable> {
  const first = await open(requests, offset);
  const stream = Readable.from(bytes(requests, descriptor, offset, first), {
    objectMode: false,
    highWaterMark: 1 << 20,
  });
  // A stream destroyed before it was read never enters the generator, whose `finally` would have let the body go.
  stream.once('close', () => first.response.body.destroy());
  return stream;
}

async function* bytes(
  requests: BlobRequests,
  descriptor: Descriptor,
  offset: number,
  first: Opened,
): AsyncGenerator<Buffer, void> {
  const { retry, signal, what } = requests;
  let opened = first;
  let at = offset;
  for (let attempt = 1; ; attempt += 1) {
    const before = at;
    let failure: OciError | undefined;
    try {
      let skip = opened.skip;
      for await (const chunk of opened.response.body as AsyncIterable<Buffer>) {
        if (skip >= chunk.length) {
          skip -= chunk.length;
          continue;
        }
        const wanted = skip === 0 ? chunk : chunk.subarray(skip);
        skip = 0;
        at += wanted.length;
        yield wanted;
        if (at > descriptor.size) return;
      }
    } catch (error) {
      if (signal.aborted) throw abortError(signal);
      failure = networkError(error, opened.response.url.host, what);
    } finally {
      opened.response.body.destroy();
    }
    if (at >= descriptor.size) return;
    // The server kept its word, and has no more: asking again would bring the same.
    if (failure === undefined && opened.promised !== undefined && at - before >= opened.promised) return;
    if (at > before) attempt = 1;
    if (attempt > retry.retries)
      throw (
        failure ??
        networkError(new Error('the connection ends early again and again'), opened.response.url.host, what)
      );
    const delayMs = retryDelay(retry, attempt);
    const reason = failure?.message ?? `${opened.response.url.host} ended the connection early`;
    requests.onProgress({ type: 'retrying', what, reason, attempt, delayMs, digest: descriptor.digest });
    await pause(delayMs, signal);
    opened = await open(requests, at);
  }
}

async function open(requests: BlobRequests, offset: number): Promise<Opened> {
  const response = await requests.get(offset);
  const length = parseContentLength(header(response.headers, 'content-length'));
  if (offset === 0) {
    return { response, skip: 0, promised: length };
  }
  if (response.status === 200) {
    return {
      response,
      skip: offset,
      promised: length === undefined ? undefined : Math.max(0, length - offset),
    };
  }
  const range = parseContentRange(header(response.headers, 'content-range'));
  if (response.status === 206 && range?.first === offset) {
    return { response, skip: 0, promised: range.last - range.first + 1 };
  }
  // 416, or bytes of another range, or of none that it names: from the start, then, and past what is held.
  response.body.destroy();
  const whole = await requests.get(0);
  const all = parseContentLength(header(whole.headers, 'content-length'));
  return {
    response: whole,
    skip: offset,
    promised: all === undefined ? undefined : Math.max(0, all - offset),
  };
}
