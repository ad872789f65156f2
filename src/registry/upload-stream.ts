// A request whose body is written bit by bit: what an ingest writes goes out as it comes, with at most a buffer in between.
import { Readable } from 'node:stream';
import type { HttpResponse } from './http.ts';

/** A request on its way. */
export interface UploadStream {
  /** Waits while the buffer is full. Throws what the request failed with; an answer before the end is not thrown here. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** True once there is an answer or a failure: what is written then goes nowhere. */
  readonly isOver: boolean;
  /** Ends the body; the registry's answer. */
  end(): Promise<HttpResponse>;
}

/** Bytes between the writer and the socket. */
const BUFFER_BYTES = 256 << 10;

export function openUploadStream(send: (body: Readable) => Promise<HttpResponse>): UploadStream {
  let wake: (() => void) | undefined;
  let isOver = false;
  let failure: Error | undefined;
  const body = new Readable({ highWaterMark: BUFFER_BYTES, read: () => wake?.() });
  body.on('error', () => {});
  const answer = send(body);
  answer
    .catch((error: Error) => {
      failure = error;
    })
    .finally(() => {
      isOver = true;
      wake?.();
    });

  return {
    get isOver() {
      return isOver;
    },
    write(chunk) {
      if (failure !== undefined) throw failure;
      if (isOver || body.push(chunk)) return;
      return new Promise((resolve, reject) => {
        wake = () => {
          wake = undefined;
          if (failure === undefined) resolve();
          else reject(failure);
        };
        if (isOver) wake();
      });
    },
    end() {
      if (!isOver) body.push(null);
      return answer;
    },
  };
}
