// The thread that reads a layer and a worker that helps it, with a real worker at the other end.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { STAGED } from '../../src/rootfs/entry-log.ts';
import { createHandOut, type HandOut } from '../../src/rootfs/hand-out.ts';
import type { PoolMessage, WorkerMessage } from '../../src/rootfs/layer-worker.ts';
import { createStageWriter } from '../../src/rootfs/stage-writer.ts';

let folder: string;
let worker: Worker;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hand-out-'));
  for (const part of ['root', 'aside']) mkdirSync(join(folder, part));
  worker = new Worker(new URL('../../src/rootfs/layer-worker.ts', import.meta.url));
});
afterEach(async () => {
  await worker.terminate();
  rmSync(folder, { recursive: true, force: true });
});

/** A port with the worker at its other end. */
function helper(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage({ type: 'help', port: port2 } satisfies PoolMessage, [port2]);
  return port1;
}

const facts = { mode: 0o640, uid: 0, gid: 0, mtime: 1_700_000_000, mtimeNanos: 0 };
const staged = new Map<number, number>();

/** Hands out with these helpers to come. */
function open(...ports: MessagePort[]): HandOut {
  staged.clear();
  const settings = { folder, umask: 0o022 };
  return createHandOut(
    settings,
    createStageWriter(settings),
    (index, where) => staged.set(index, where),
    () => ports.shift(),
  );
}

/** Gives ten files in each of `slabs` slabs, named by their number. */
function giveFiles(handOut: HandOut, slabs: number): void {
  for (let slab = 0; slab < slabs; slab++) {
    const bytes = handOut.takeSlab();
    for (let i = 0; i < 10; i++) {
      const index = slab * 10 + i;
      const piece = bytes.subarray(i * 5000, i * 5000 + index);
      piece.fill(index);
      expect(handOut.give(facts, `f${index}`, index, true, piece)).toBe(true);
    }
  }
}

test('files of many slabs are written, by the helper and by the reader', async () => {
  const helped = new Promise<WorkerMessage>((resolve) => worker.once('message', resolve));
  const handOut = open(helper());
  giveFiles(handOut, 25);
  handOut.finish();
  expect(staged.size).toBe(250);
  expect(new Set(staged.values())).toEqual(new Set([STAGED.inPlace]));
  for (let index = 0; index < 250; index++) {
    expect(readFileSync(join(folder, 'root', `f${index}`)).equals(Buffer.alloc(index, index))).toBe(true);
  }
  const { mode, mtimeMs } = statSync(join(folder, 'root', 'f7'));
  expect([mode & 0o7777, mtimeMs]).toEqual([0o640, 1_700_000_000_000]);
  // Let go, it is free for the next.
  expect(await helped).toEqual({ type: 'helped' });
});

test('without a helper nothing is taken: the reader writes at once', () => {
  const handOut = open();
  const slab = handOut.takeSlab();
  expect(handOut.give(facts, 'f', 0, true, slab.subarray(0, 10))).toBe(false);
  handOut.finish();
});

test('a name that is taken, and a file without a directory, go aside', () => {
  const handOut = open(helper());
  const slab = handOut.takeSlab();
  slab.fill('abc', 0, 3);
  handOut.give(facts, 'same', 0, true, slab.subarray(0, 1));
  handOut.give(facts, 'same', 1, true, slab.subarray(1, 2));
  handOut.give(facts, 'no/parent', 2, false, slab.subarray(2, 3));
  handOut.give(facts, 'empty', 3, true, undefined);
  handOut.finish();
  expect([...staged]).toEqual([
    [0, STAGED.inPlace],
    [1, STAGED.aside],
    [2, STAGED.aside],
    [3, STAGED.inPlace],
  ]);
  expect(readdirSync(join(folder, 'aside')).sort()).toEqual(['1', '2']);
  expect(readFileSync(join(folder, 'aside/2'), 'utf8')).toBe('c');
});

test('what a helper fails with is thrown by the reader', () => {
  const handOut = open(helper());
  const slab = handOut.takeSlab();
  handOut.give(facts, 'x'.repeat(300), 0, true, slab.subarray(0, 1));
  expect(() => handOut.finish()).toThrow(expect.objectContaining({ code: 'LAYER_REFUSED' }));
});
