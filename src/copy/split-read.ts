// Reads one blob through as many connections as its host is faster with. It begins as one request for everything; when the
// group (flow-group.ts) gives it another connection, what is left is cut into parts that are taken in order, so that
// the bytes held without a gap are never far behind. What comes ahead of a gap goes to the file, not to memory.
import type { Readable } from 'node:stream';
import { abortError, isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { takeAll } from '../place/lending.ts';
import type { ImageSource, Ingest } from '../place/place.ts';
import type { FlowGroup, Reading } from './flow-group.ts';
import { createPartPlan, PART_LEAST, type Part } from './part-plan.ts';

/** An ingest that takes bytes out of order. */
export type SplitIngest = Ingest & Required<Pick<Ingest, 'ahead' | 'join'>>;

export interface SplitReadOptions {
  group: FlowGroup;
  signal?: AbortSignal | undefined;
  /** So many bytes of the blob are held now, in order or not. */
  onHeld(bytes: number): void;
}

/** Blobs with less left than this are read through one connection. */
export const WORTH_SPLITTING = 8 * PART_LEAST;

export function takesParts(ingest: Ingest): ingest is SplitIngest {
  return ingest.ahead !== undefined && ingest.join !== undefined;
}

/**
 * Fills the ingest from its offset to the blob's end. Throws what the source throws to the only flow left, NETWORK when
 * it ends early, and what the ingest throws.
 */
export async function readSplit(
  source: ImageSource,
  ingest: SplitIngest,
  descriptor: Descriptor,
  { group, signal, onHeld }: SplitReadOptions,
): Promise<void> {
  const plan = createPartPlan(ingest.offset, descriptor.size);
  const stop = new AbortController();
  const all = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const over = Promise.withResolvers<void>();
  let held = ingest.offset;
  /** Bytes from the start that the ingest knows of. */
  let joined = held;
  let flows = 0;
  let wanted = 1;
  let failure: unknown;
  /** The source answers requests for parts with all of the blob. */
  let refusesParts = false;

  function fail(error: unknown): void {
    failure ??= error;
    stop.abort(failure);
  }

  function next(): Part | undefined {
    return plan.next({ bytes: group.partBytes, rest: refusesParts || Math.max(flows, wanted) === 1 });
  }

  /** One connection after the other, until there is no part left for it or there are more flows than wanted. */
  async function flow(first: Part, opened?: Readable): Promise<void> {
    let gives = false;
    const begin = (): void => {
      if (!gives) group.running(1);
      gives = true;
    };
    let stream = opened;
    for (let part: Part | undefined = first; part !== undefined; stream = undefined) {
      const current: Part = part;
      try {
        await read(current, stream, begin);
        part = flows > wanted ? undefined : next();
      } catch (error) {
        plan.release(current);
        part = goesOn(error) ? next() : undefined;
      }
    }
    if (gives) group.running(-1);
    flows -= 1;
    if (flows === 0) over.resolve();
  }

  /** After a failure: true when this flow is to take its next part, false when it is to end. */
  function goesOn(error: unknown): boolean {
    if (failure !== undefined || all.aborted) return false;
    if (isOciError(error, 'UNSUPPORTED') && !refusesParts) {
      refusesParts = true;
      return flows === 1;
    }
    // Somebody else takes over what it was at, unless all gave up at once, each counting on the others.
    if (flows > 1) wanted = flows - 1;
    else if (isOciError(error, 'ABORTED')) return true;
    else fail(error);
    return false;
  }

  /** The bytes of one part, until it is whole or another flow has the rest of it. */
  async function read(part: Part, opened: Readable | undefined, begin: () => void): Promise<void> {
    const own = new AbortController();
    const stream = opened ?? (await open(part, own, () => flows === 1));
    await takeAll(stream, (chunk) => {
      begin();
      take(part, chunk);
      if (part.at >= part.to && part.to < descriptor.size) stream.destroy();
    });
    if (part.at >= part.to) return;
    throw new OciError(
      'NETWORK',
      `${descriptor.digest}: the source ended after ${part.at} of ${descriptor.size} bytes`,
      { hint: 'run the same command again: it goes on from where it stopped' },
    );
  }

  /** `isPatient`: what breaks is tried again, not left to another flow. */
  function open(part: Part, own: AbortController, isPatient: () => boolean): Promise<Readable> {
    return source.fetch(descriptor, {
      offset: part.at,
      end: part.open || refusesParts ? undefined : part.to,
      signal: AbortSignal.any([all, own.signal]),
      onSetback(status) {
        group.setback(status);
        if (!isPatient()) own.abort(new OciError('ABORTED', 'left to another connection'));
      },
    });
  }

  function take(part: Part, chunk: Buffer): void {
    const inOrder = part.at === joined;
    // A byte too many at the blob's end is for the ingest to refuse.
    const room = inOrder && part.to === descriptor.size ? chunk.length : Math.max(0, part.to - part.at);
    const bytes = chunk.length <= room ? chunk : chunk.subarray(0, room);
    try {
      if (inOrder) void ingest.write(bytes);
      else ingest.ahead(bytes, part.at);
      part.at += bytes.length;
      if (inOrder) joined = part.at;
      if (inOrder && part.at >= part.to) {
        joined = plan.reach();
        if (joined > part.at) ingest.join(joined);
      }
    } catch (error) {
      fail(error);
      throw error;
    }
    held += bytes.length;
    group.received(bytes.length);
    onHeld(held);
  }

  function start(part: Part, opened?: Readable): void {
    flows += 1;
    wanted = Math.max(wanted, flows);
    void flow(part, opened);
  }

  const reading: Reading = {
    get flows() {
      return flows;
    },
    get left() {
      return descriptor.size - held;
    },
    async grow() {
      if (refusesParts || all.aborted || flows === 0) return false;
      wanted = flows + 1;
      const waiting = flows > 1 ? next() : undefined;
      if (waiting !== undefined) {
        start(waiting);
        return true;
      }
      const split = plan.split(group.partBytes);
      if (split === undefined) return false;
      try {
        // Asked first: the flow that has these bytes now goes on until somebody else really gives them.
        const stream = await open(split.part, new AbortController(), () => false);
        if (!all.aborted && plan.takeOver(split)) {
          start(split.part, stream);
          return true;
        }
        stream.destroy();
      } catch (error) {
        refusesParts ||= isOciError(error, 'UNSUPPORTED');
      }
      wanted = Math.max(1, flows);
      return false;
    },
    shrink() {
      wanted = Math.max(1, flows - 1);
    },
  };

  group.enter(reading);
  try {
    const first = next();
    if (first !== undefined) {
      start(first);
      await over.promise;
    }
    if (signal?.aborted) throw abortError(signal);
    if (failure !== undefined) throw failure;
  } finally {
    group.leave(reading);
    stop.abort(new OciError('ABORTED', 'read'));
  }
}
