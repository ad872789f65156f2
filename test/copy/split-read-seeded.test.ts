// Hundreds of blobs read through connections that come, go and break at random: every byte is taken once and in its place,
// whatever the order, and a read that fails is gone on with from what it has without a gap.

import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { FlowGroup, Reading } from '../../src/copy/flow-group.ts';
import { readSplit, type SplitIngest, WORTH_SPLITTING } from '../../src/copy/split-read.ts';
import { isOciError, OciError } from '../../src/errors.ts';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import type { FetchOptions, ImageSource } from '../../src/place/place.ts';
import { digestOf } from '../../src/reference/digest.ts';
import { pick, type Random, randomFrom } from '../support/fault-plan.ts';

const RUNS = Math.ceil(Number(process.env.OCITOOL_FAULT_RUNS ?? 2000) / 5);
const FIRST = Number(process.env.OCITOOL_FAULT_SEED ?? 1);
const MiB = 1 << 20;
const SIZES = [WORTH_SPLITTING + 1, WORTH_SPLITTING + 7 * MiB + 5, 2 * WORTH_SPLITTING];
/** Never touched: where a chunk lies in it tells which bytes it stands for. */
const CONTENT = Buffer.alloc(2 * WORTH_SPLITTING);
const MOST_FLOWS = 6;
/** Far more than any run takes. */
const TURNS = 100_000;
const FAULTS = ['refused', 'reset', 'cut', 'setback', 'limited', 'no parts', 'too much'] as const;

interface Run {
  random: Random;
  size: number;
  /** Faults that are still to come. */
  faults: number;
  /** Chunks that are still given before nothing is any more. */
  diesAfter: number;
  streams: Readable[];
  played: string[];
}

function sourceOf(run: Run): ImageSource {
  return {
    resolve: () => Promise.reject(new Error('not asked for')),
    async fetch(_descriptor, { offset = 0, end, signal, onSetback }: FetchOptions = {}) {
      await turn();
      signal?.throwIfAborted();
      if (run.diesAfter <= 0) throw new OciError('NETWORK', 'dead');
      const fault = run.faults > 0 && run.random() < 0.3 ? pick(run.random, FAULTS) : undefined;
      if (fault !== undefined) {
        run.faults -= 1;
        run.played.push(`${fault} ${offset}-${end}`);
      }
      if (fault === 'refused') throw new OciError('NETWORK', 'refused');
      if (fault === 'no parts' && end !== undefined) throw new OciError('UNSUPPORTED', 'no parts');
      const last = Math.min(run.size, (end ?? run.size) + (fault === 'too much' ? MiB : 0));
      const at = offset + Math.floor(run.random() * (last - offset));
      const stream = Readable.from(bytes(), { highWaterMark: 1 });
      async function* bytes(): AsyncGenerator<Buffer, void> {
        let seen = offset;
        while (seen < last) {
          if (run.diesAfter <= 0) throw new OciError('NETWORK', 'died');
          run.diesAfter -= 1;
          if (seen >= at && fault === 'reset') throw new OciError('NETWORK', 'reset');
          if (seen >= at && fault === 'cut') return;
          if (seen >= at && fault === 'setback') onSetback?.(undefined);
          if (seen >= at && fault === 'limited') onSetback?.(429);
          const to = Math.min(last, seen + 1 + Math.floor(run.random() * MiB));
          yield CONTENT.subarray(seen, to);
          seen = to;
          for (let wait = Math.floor(run.random() * 4); wait > 0; wait -= 1) await turn();
        }
      }
      signal?.addEventListener('abort', () => stream.destroy(signal.reason as Error), { once: true });
      run.streams.push(stream);
      return stream;
    },
  };
}

/** Takes bytes as a store's ingest does, and throws when one comes twice, out of place or is said to be there and is not. */
function strictIngest(offset: number): SplitIngest & { reach(): number } {
  /** Ranges written ahead, by where they begin. */
  const ahead = new Map<number, number>();
  let reach = offset;
  const never = () => Promise.reject(new Error('not asked for'));
  return {
    offset,
    reach: () => reach,
    write(chunk) {
      if (chunk.length === 0) return;
      if (chunk.byteOffset !== reach) throw new Error(`bytes of ${chunk.byteOffset} written at ${reach}`);
      reach += chunk.length;
      for (const from of ahead.keys()) if (from < reach) throw new Error(`${from} was there already`);
    },
    ahead(chunk, position) {
      // What came beyond a part's end is cut off, all of it perhaps.
      if (chunk.length === 0) return;
      if (chunk.byteOffset !== position) throw new Error(`bytes of ${chunk.byteOffset} put at ${position}`);
      if (position < reach) throw new Error(`${position} put ahead of ${reach}`);
      for (const [from, to] of ahead) {
        if (position < to && from < position + chunk.length) throw new Error(`${position} came twice`);
      }
      ahead.set(position, position + chunk.length);
    },
    join(position) {
      for (let to = ahead.get(reach); reach < position && to !== undefined; to = ahead.get(reach)) {
        ahead.delete(reach);
        reach = to;
      }
      if (reach !== position) throw new Error(`joined to ${position}, but a gap is at ${reach}`);
    },
    commit: never,
    suspend: never,
    restart: never,
    abort: never,
  };
}

/** One attempt; resolves to what is there without a gap, and why it ended. */
async function attempt(run: Run, offset: number): Promise<{ reach: number; failure: Error | undefined }> {
  const ingest = strictIngest(offset);
  let reading: Reading | undefined;
  const group: FlowGroup = {
    partBytes: pick(run.random, [4, 6, 20]) * MiB,
    received() {},
    running() {},
    reconnected() {},
    setback() {},
    enter(entered) {
      reading = entered;
    },
    leave() {
      reading = undefined;
    },
  };
  const descriptor: Descriptor = { mediaType: 'x/y', digest: digestOf('x'), size: run.size };
  let failure: Error | undefined;
  let isOver = false;
  async function read(): Promise<void> {
    try {
      await readSplit(sourceOf(run), ingest, descriptor, { group, onHeld() {} });
    } catch (error) {
      failure = error as Error;
    }
    isOver = true;
  }
  const done = read();
  for (let turns = 0; !isOver; turns += 1) {
    if (turns > TURNS) throw new Error(`stands still at ${ingest.reach()} of ${run.size}`);
    if (reading !== undefined && reading.flows < MOST_FLOWS && run.random() < 0.1) await reading.grow();
    if (run.random() < 0.02) reading?.shrink();
    await turn();
  }
  await done;
  await expect.poll(() => run.streams.filter(({ destroyed }) => !destroyed)).toEqual([]);
  return { reach: ingest.reach(), failure };
}

async function play(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const faults = Math.floor(random() * 8);
  const run: Run = {
    random,
    size: pick(random, SIZES),
    faults,
    diesAfter: Number.POSITIVE_INFINITY,
    streams: [],
    played: [],
  };
  const dies = random() < 0.2;
  const start = random() < 0.3 ? Math.floor(random() * (run.size - WORTH_SPLITTING)) : 0;
  try {
    if (dies) run.diesAfter = Math.floor(random() * 40);
    let { reach, failure } = await attempt(run, start);
    for (let again = 0; failure !== undefined; again += 1) {
      if (!isOciError(failure, 'NETWORK')) throw failure;
      if (run.played.length === 0 && !dies) throw new Error('failed without a fault');
      if (again > faults + 1) throw new Error('still fails when nothing is wrong any more');
      run.diesAfter = Number.POSITIVE_INFINITY;
      ({ reach, failure } = await attempt(run, reach));
    }
    if (reach !== run.size) throw new Error(`${reach} of ${run.size} bytes`);
  } catch (error) {
    throw new Error(`seed ${seed}: ${String(error)}\n${run.played.join('\n')}`, { cause: error });
  }
}

test(`${RUNS} of them, from seed ${FIRST} on`, { timeout: 60_000 + RUNS * 200 }, async () => {
  for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) await play(seed);
});

test('a flow that breaks while the other is refused a piece of its part leaves nothing unread (seed 70102)', () =>
  play(70_102));

test('two flows that are refused parts one after the other go on without parts (seed 71967)', () =>
  play(71_967));
