// How idle threads help the one that reads a layer: it inflates, hashes and reads headers, which only one can do, and
// hands the files of a whole slab to a helper that is free, else writes them itself. So one big layer, as most images
// have, is not bound to one core.
//
// The reader blocks from first byte to last. Helpers are told by message and answer by message, but wake the reader
// through shared memory; the reader fetches messages by hand when it needs them.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { type ErrorCode, OciError } from '../errors.ts';
import { SLAB } from '../layer/inflate.ts';
import { type Batch, createBatchBuilder, writeBatch } from './stage-batch.ts';
import { createStageWriter, type FileFacts, type StageSettings, type StageWriter } from './stage-writer.ts';

/** One slab's files, for a helper. */
interface Handed {
  settings: StageSettings;
  batch: Batch;
  /** Of the slab; shared. */
  slab: SharedArrayBuffer;
  /** Counts batches done by all helpers; an Int32Array of one. */
  done: SharedArrayBuffer;
}

/** What a helper says of one batch. */
type Answer =
  | { type: 'written'; indexes: Float64Array; staged: Uint8Array; ownersLost: number }
  | { type: 'failed'; code: ErrorCode; message: string; hint: string | undefined };

/** The reader's side. */
export interface HandOut {
  /** A slab that nobody writes from. */
  takeSlab(): Buffer;
  /** Takes a whole file whose content is `piece` of the current slab. False when the caller must write it at once. */
  give(facts: FileFacts, path: string, index: number, hasParent: boolean, piece: Buffer | undefined): boolean;
  /** Waits for the helpers and lets them go. Throws the first failure of one. */
  finish(): void;
  /** Files the helpers wrote whose owner could not be set. */
  ownersLost(): number;
}

/** Another thread that has nothing to do, if there is one; asked once a slab. */
export type NextHelper = () => MessagePort | undefined;

/** Batches a helper has at once: one it writes and what waits, so that it never waits for the reader. */
const IN_HAND = 3;

interface Helper {
  port: MessagePort;
  /** Slabs it has not answered for, oldest first. */
  slabs: Buffer[];
}

export function createHandOut(
  settings: StageSettings,
  writer: StageWriter,
  onStaged: (index: number, where: number) => void,
  nextHelper: NextHelper,
): HandOut {
  const helpers: Helper[] = [];
  /** Shared slabs nobody uses. */
  const free: Buffer[] = [];
  const builder = createBatchBuilder();
  const done = new Int32Array(new SharedArrayBuffer(4));
  let ownersLost = 0;
  /** Shared as soon as there is a helper. */
  let current: Buffer = Buffer.allocUnsafeSlow(SLAB);

  const isShared = (slab: Buffer): boolean => slab.buffer instanceof SharedArrayBuffer;

  function welcomeHelpers(): void {
    for (let port = nextHelper(); port !== undefined; port = nextHelper()) {
      helpers.push({ port, slabs: [] });
      for (let i = 0; i < IN_HAND; i++) free.push(Buffer.from(new SharedArrayBuffer(SLAB)));
      if (!isShared(current)) current = Buffer.from(new SharedArrayBuffer(SLAB));
    }
  }

  /** Takes the answers that are there. */
  function hear(): void {
    for (const { port, slabs } of helpers) {
      for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port)) {
        const answer = got.message as Answer;
        if (answer.type === 'failed') throw new OciError(answer.code, answer.message, { hint: answer.hint });
        ownersLost += answer.ownersLost;
        for (const [i, index] of answer.indexes.entries()) onStaged(index, answer.staged[i] as number);
        free.push(slabs.shift() as Buffer);
      }
    }
  }

  /** Has the current slab's files written, by a helper that has room or here. */
  function flush(): void {
    if (builder.count === 0) return;
    const batch = builder.take();
    hear();
    const helper = helpers.find(({ slabs }) => slabs.length < IN_HAND);
    if (helper === undefined) {
      writeBatch(writer, batch, current, onStaged);
      return;
    }
    const handed = {
      settings,
      batch,
      slab: current.buffer as unknown as SharedArrayBuffer,
      done: done.buffer,
    };
    helper.port.postMessage(handed satisfies Handed, [batch.numbers.buffer as ArrayBuffer]);
    helper.slabs.push(current);
    // There is one: each helper brought as many as it can hold.
    current = free.pop() as Buffer;
  }

  return {
    takeSlab() {
      flush();
      welcomeHelpers();
      return current;
    },
    give(facts, path, index, hasParent, piece) {
      if (!isShared(current)) return false;
      const offset = piece === undefined ? 0 : piece.byteOffset - current.byteOffset;
      builder.add(facts, path, index, hasParent, offset, piece?.length ?? 0);
      return true;
    },
    finish() {
      flush();
      for (;;) {
        const seen = Atomics.load(done, 0);
        hear();
        if (helpers.every(({ slabs }) => slabs.length === 0)) break;
        Atomics.wait(done, 0, seen);
      }
      for (const { port } of helpers) port.close();
    },
    ownersLost: () => ownersLost,
  };
}

/** The helper's side: writes what comes through the port; `onEnd` when the reader needs no more. */
export function help(port: MessagePort, onEnd: () => void): void {
  let writer: StageWriter | undefined;
  let lost = 0;
  port.on('message', ({ settings, batch, slab, done }: Handed) => {
    writer ??= createStageWriter(settings);
    const indexes: number[] = [];
    const staged: number[] = [];
    let answer: Answer;
    try {
      writeBatch(writer, batch, new Uint8Array(slab), (index, where) => {
        indexes.push(index);
        staged.push(where);
      });
      const ownersLost = writer.ownersLost() - lost;
      lost += ownersLost;
      answer = {
        type: 'written',
        indexes: Float64Array.from(indexes),
        staged: Uint8Array.from(staged),
        ownersLost,
      };
    } catch (error) {
      // Anything but an expected failure is a defect: it goes to the pool as the thread's own error.
      if (!(error instanceof OciError)) throw error;
      const { code, message, hint } = error;
      answer = { type: 'failed', code, message, hint };
    }
    port.postMessage(answer);
    const count = new Int32Array(done);
    Atomics.add(count, 0, 1);
    Atomics.notify(count, 0);
  });
  port.on('close', onEnd);
}
