// A blob as the body of an answer while it still arrives: many clients read one download. What they get is not verified
// yet, so the last byte waits until it is: a client is cut off rather than given a whole that is wrong.
import { read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { DROPPED } from '../place/arrival.ts';
import { giveUpBuffer, lendBuffer, returnBuffer } from './buffers.ts';
import type { ArrivingContent } from './upstream.ts';

const readAt = promisify(read);

/** Bytes of content from `offset` on. */
export interface ArrivingPart {
  content: ArrivingContent;
  offset: number;
  size: number;
}

/** Ends the response; cuts it off when the blob does not come, and when the client goes away. */
export async function sendArriving(
  response: ServerResponse,
  { content, offset, size }: ArrivingPart,
): Promise<void> {
  const { file, arrived, release } = content;
  const held = new BigInt64Array(file.held);
  const buffer = lendBuffer();
  const closed = new Promise<'closed'>((done) => response.once('close', () => done('closed')));
  const whole = arrived.then(
    () => 'whole' as const,
    () => 'closed' as const,
  );
  let verified = false;
  let clean = false;
  try {
    for (let at = offset; at < offset + size; ) {
      const there = Atomics.load(held, 0);
      if (there === DROPPED || response.destroyed) return;
      const end = Math.min(verified ? file.size : Math.min(Number(there), file.size - 1), offset + size);
      if (at >= end) {
        const woken = await Promise.race([whole, closed, ...moreBytes(held, there, file.size)]);
        if (woken === 'closed') return;
        verified ||= woken === 'whole';
        continue;
      }
      const { bytesRead } = await readAt(file.fd, buffer, 0, Math.min(buffer.length, end - at), at);
      if (
        bytesRead === 0 ||
        (await Promise.race([writeTo(response, buffer.subarray(0, bytesRead)), closed])) !== true
      )
        return;
      at += bytesRead;
    }
    response.end();
    clean = true;
  } finally {
    if (!clean) response.destroy();
    if (clean) returnBuffer(buffer);
    else giveUpBuffer(buffer);
    release();
  }
}

/** A longest wait for bytes, milliseconds: who is told nothing looks again. */
const LOOK_AGAIN_MS = 60_000;

/** Resolves when `held` is no longer `there`; nothing when all bytes are there and only the verdict is awaited. */
function moreBytes(held: BigInt64Array<SharedArrayBuffer>, there: bigint, size: number): Promise<unknown>[] {
  if (Number(there) >= size) return [];
  const wait = Atomics.waitAsync(held, 0, there, LOOK_AGAIN_MS);
  return [wait.async ? wait.value : Promise.resolve()];
}

/** True when the kernel has the bytes. */
function writeTo(response: ServerResponse, chunk: Buffer): Promise<boolean> {
  return new Promise((done) => {
    response.write(chunk, (error) => done(error === null || error === undefined));
  });
}
