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

/** A part, and the request for it. */
interface Asked {
  part: Part;
  /** The byte after the last one asked for. */
  end: number;
  /** The request is for a part: a source may refuse it. */
  isPart: boolean;
  stream: Promise<Readable>;
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
  let failure: Error | undefined;
  /** The source answers requests for parts with all of the blob. */
  let refusesParts = false;

  function fail(error: unknown): void {
    failure ??= error as Error;
    stop.abort(failure);
  }

  function next(): Part | undefined {
    return plan.next({ bytes: group.partBytes, rest: refusesParts || Math.max(flows, wanted) === 1 });
  }

  /** One request after the other, until there is no part left for it or there are more flows than wanted. */
  async function flow(first: Asked): Promise<void> {
    let gives = false;
    /** The last request was cut off, and its connection is gone. */
    let isCut = false;
    const took = (): void => {
      if (!gives) group.running(1);
      else if (isCut) group.reconnected();
      gives = true;
      isCut = false;
    };
    for (let asked: Asked | undefined = first; asked !== undefined; ) {
      const current: Asked = asked;
      try {
        await read(current, took);
        isCut = current.part.to < current.end;
        if (isCut) group.reconnected();
        // Asked again at last: a flow that broke meanwhile has left its part to this one.
        asked = flows > wanted ? undefined : (ask(next()) ?? (await takeOver()) ?? ask(next()));
      } catch (error) {
        plan.release(current.part);
        asked = goesOn(error, current.isPart) ? ask(next()) : undefined;
      }
    }
    if (gives) group.running(-1);
    flows -= 1;
    if (flows === 0) over.resolve();
  }

  /** `isPatient`: what breaks is tried again, not left to another flow. */
  function ask(part: Part | undefined, isPatient = () => flows === 1): Asked | undefined {
    if (part === undefined) return undefined;
    const own = new AbortController();
    const end = part.open || refusesParts ? undefined : part.to;
    const stream = source.fetch(descriptor, {
      offset: part.at,
      end,
      signal: AbortSignal.any([all, own.signal]),
      onSetback(status) {
        group.setback(status);
        if (!isPatient()) own.abort(new OciError('ABORTED', 'left to another connection'));
      },
    });
    return { part, end: end ?? descriptor.size, isPart: end !== undefined, stream };
  }

  /** A piece of what another flow is at. That one goes on until this request is answered, so that a refusal costs nothing. */
  async function takeOver(): Promise<Asked | undefined> {
    const split = refusesParts ? undefined : plan.split(group.partBytes);
    const asked = ask(split?.part, () => false);
    if (split === undefined || asked === undefined) return undefined;
    try {
      const stream = await asked.stream;
      if (!all.aborted && plan.takeOver(split)) return asked;
      stream.destroy();
    } catch (error) {
      refusesParts ||= isOciError(error, 'UNSUPPORTED');
    }
    return undefined;
  }

  /** After a failure: true when this flow is to take its next part, false when it is to end. */
  function goesOn(error: unknown, isPart: boolean): boolean {
    if (failure !== undefined || all.aborted) return false;
    // Several may be refused before the first of them is told so.
    if (isOciError(error, 'UNSUPPORTED') && isPart) {
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
  async function read({ part, end, stream: opening }: Asked, took: () => void): Promise<void> {
    const stream = await opening;
    await takeAll(stream, (chunk) => {
      took();
      take(part, chunk);
      // What was asked for and came to its end leaves a connection that can be used again.
      if (part.at >= part.to && part.to < end) stream.destroy();
    });
    if (part.at >= part.to) return;
    throw new OciError(
      'NETWORK',
      `${descriptor.digest}: the source ended after ${part.at} of ${descriptor.size} bytes`,
      { hint: 'run the same command again: it goes on from where it stopped' },
    );
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

  function start(asked: Asked): void {
    flows += 1;
    wanted = Math.max(wanted, flows);
    void flow(asked);
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
      const waiting = ask(next());
      if (waiting !== undefined) {
        start(waiting);
        return true;
      }
      const asked = await takeOver();
      if (asked !== undefined) {
        start(asked);
        return true;
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
    const first = ask(next());
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
