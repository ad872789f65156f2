// A request whose body is written bit by bit: what an ingest writes goes out as it comes, out of the memory it came in.
// With a copy of each chunk a copy between registries took 130 MB of memory instead of 105.
import type { HttpResponse } from './http.ts';

/** A request on its way. */
export interface UploadStream {
  /**
   * Resolves when the chunk is not needed any more. One at a time. Throws what the request failed with; an answer
   * before the end is not thrown here.
   */
  write(chunk: Uint8Array): void | Promise<void>;
  /** True once there is an answer or a failure: what is written then goes nowhere. */
  readonly isOver: boolean;
  /** Ends the body; the registry's answer. */
  end(): Promise<HttpResponse>;
}

/** What is given to `send` when it asks for more. */
type Next = IteratorResult<Uint8Array, undefined>;

/** `send` asks its body for the next chunk only when it is done with the one before (`HttpRequest.body`). */
export function openUploadStream(
  send: (body: AsyncIterable<Uint8Array>) => Promise<HttpResponse>,
): UploadStream {
  /** Set while the request waits for bytes. */
  let give: ((next: Next) => void) | undefined;
  /** What it has not asked for yet. */
  let waiting: Next | undefined;
  /** Set while a chunk is in use. */
  let wake: (() => void) | undefined;
  let isOver = false;
  let failure: Error | undefined;

  function offer(next: Next): void {
    if (give === undefined) waiting = next;
    else give(next);
    give = undefined;
  }
  async function next(): Promise<Next> {
    if (waiting === undefined) {
      wake?.();
      // For ever, when the request is over before its body: undici would take an end for a body that is too short.
      return await new Promise((resolve) => {
        give = resolve;
      });
    }
    const first = waiting;
    waiting = undefined;
    return first;
  }

  const answer = send({ [Symbol.asyncIterator]: () => ({ next }) });
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
      if (isOver) return;
      return new Promise((resolve, reject) => {
        wake = () => {
          wake = undefined;
          if (failure === undefined) resolve();
          else reject(failure);
        };
        offer({ value: chunk, done: false });
      });
    },
    end() {
      if (!isOver) offer({ value: undefined, done: true });
      return answer;
    },
  };
}
