// The log of a detached container: the bytes of its two streams as they came, in one file.
import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileError, OciError } from '../errors.ts';
import { findContainer, readState } from '../runner/containers.ts';
import type { Client } from './client.ts';
import { pathsOf, statusOf } from './containers.ts';

/** How often to look for more, ms. */
const LOOK = 50;
const CHUNK = 64 * 1024;

export interface LogOptions {
  /** Go on until the container ends. */
  follow?: boolean | undefined;
  /** Begin this many lines before the end. */
  tail?: number | undefined;
}

/** The log in pieces. Throws CONTAINER_NOT_FOUND, and UNSUPPORTED for a container that runs in the foreground. */
export async function logs(
  client: Client,
  name: string,
  { follow = false, tail }: LogOptions = {},
): Promise<AsyncGenerator<Buffer>> {
  const { paths, record } = findContainer(await pathsOf(client), name);
  if (!existsSync(paths.log)) {
    throw new OciError('UNSUPPORTED', `${record.name}: was not started with --detach, so it has no log`, {
      hint: 'its output went to the terminal it was started from',
    });
  }
  let descriptor: number;
  try {
    descriptor = openSync(paths.log, 'r');
  } catch (error) {
    throw fileError(error, paths.log);
  }
  const isOver = (): boolean => {
    const status = statusOf(readState(paths));
    return status !== 'running' && status !== 'created' && status !== 'unmonitored';
  };
  return readLog(descriptor, {
    start: tail === undefined ? 0 : tailOffset(descriptor, tail),
    follow,
    isOver,
    signal: client.signal,
  });
}

async function* readLog(
  descriptor: number,
  {
    start,
    follow,
    isOver,
    signal,
  }: { start: number; follow: boolean; isOver: () => boolean; signal: AbortSignal | undefined },
): AsyncGenerator<Buffer> {
  try {
    let at = start;
    for (;;) {
      // Asked before reading: what it wrote last is read after its end was seen.
      const over = !follow || isOver();
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (let count = readSync(descriptor, buffer, 0, CHUNK, at); count > 0; ) {
        at += count;
        yield Buffer.from(buffer.subarray(0, count));
        count = readSync(descriptor, buffer, 0, CHUNK, at);
      }
      if (over || signal?.aborted) return;
      await sleep(LOOK);
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Where the last `lines` lines begin. */
function tailOffset(descriptor: number, lines: number): number {
  const { size } = fstatSync(descriptor);
  if (lines === 0) return size;
  const buffer = Buffer.allocUnsafe(CHUNK);
  let left = lines;
  for (let end = size; end > 0; end -= Math.min(CHUNK, end)) {
    const start = Math.max(0, end - CHUNK);
    const count = readSync(descriptor, buffer, 0, end - start, start);
    for (let i = count - 1; i >= 0; i--) {
      // The newline that ends the last line does not begin another.
      if (buffer[i] !== 0x0a || start + i === size - 1) continue;
      left -= 1;
      if (left === 0) return start + i + 1;
    }
  }
  return 0;
}
