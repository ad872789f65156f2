// Reads the layers of an image in worker threads, each layer in one, the biggest first. Reading blocks, so a thread
// per layer is what makes layers parallel; the pool is as wide as the machine. A worker without a layer helps the one
// that has most left.
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { abortError, OciError, throwIfAborted } from '../errors.ts';
import { imageCounters } from '../layer/image-share.ts';
import { layerLimits } from '../layer/limits.ts';
import { type Arrival, isArriving, isDropped } from '../place/arrival.ts';
import { keepIndex } from './layer-index.ts';
import type { LayerSource, ReadLayersOptions } from './layer-source.ts';
import type { PoolMessage, WorkerMessage } from './layer-worker.ts';
import { removeTree } from './private-folder.ts';
import type { LayerJob, LayerResult } from './read-layer.ts';
import { textOf } from './tree.ts';

/** Beside this file; the bundle has it beside its chunk. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './layer-worker.ts' : './layer-worker.js',
  import.meta.url,
);

/** Compressed bytes left in a layer that are worth the messages of a helper. */
const WORTH_HELPING = 1024 * 1024;
/** Files are written about as fast as one thread reads them with this many to help. */
const MOST_HELPERS = 3;

/**
 * Reads all layers; results are in the order given. `stageOf` says where each one's files go. When one fails, or the
 * signal fires, all workers are gone before the error comes. Throws what `readLayer` throws, and ABORTED.
 */
export async function readLayers(
  layers: readonly LayerSource[],
  options: ReadLayersOptions,
  stageOf: (index: number) => string | undefined,
): Promise<LayerResult[]> {
  const { signal, onProgress, verifyBlob = false } = options;
  throwIfAborted(signal);
  const limits = layerLimits(options.limits);
  const counters = imageCounters(layers.length);
  const results: LayerResult[] = [];
  const queue = layers.map((_, index) => index).sort((a, b) => sizeOf(layers, b) - sizeOf(layers, a));
  const useful =
    layers.length + layers.filter((_, i) => sizeOf(layers, i) > WORTH_HELPING).length * MOST_HELPERS;
  const workers = Array.from(
    { length: Math.min(options.workers ?? availableParallelism(), useful) },
    () => new Worker(WORKER),
  );
  /** Compressed bytes left in the layers that are being written. */
  const left = new Map<Worker, number>();
  const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
  interrupted.catch(() => {});
  const onAbort = (): void => interrupt(abortError(signal));
  signal?.addEventListener('abort', onAbort, { once: true });

  const work = async (worker: Worker): Promise<void> => {
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
      const layer = layers[index] as LayerSource;
      const { descriptor, diffId } = layer;
      const { digest } = descriptor;
      const stage = stageOf(index);
      const read = (location: LayerJob['location'], onAdvance: (bytes: number) => void) =>
        readInWorker(
          worker,
          {
            descriptor,
            location,
            diffId,
            limits,
            share: { counters, layer: index },
            verifyBlob,
            stage,
            wantIndex: isIndexWanted(layer, stage),
          },
          (bytes) => {
            if (stage !== undefined) left.set(worker, sizeOf(layers, index) - bytes);
            onAdvance(bytes);
          },
        ).finally(() => left.delete(worker));
      const onAdvance = (bytes: number): void => onProgress?.({ type: 'unpacking', digest, bytes });
      const result =
        layer.arrival === undefined
          ? await read(layer.location, onAdvance)
          : await readArriving(layer.arrival, read, onAdvance, () => dropStage(stage));
      if (result.warning !== undefined) onProgress?.({ type: 'warning', message: result.warning });
      onProgress?.({ type: 'unpacked', digest, entries: result.stats.entries });
      if (layer.index !== undefined && result.index !== undefined) keepIndex(layer.index, result.index);
      results[index] = { ...result, index: undefined };
    }
    for (let busiest = busiestOf(left); busiest !== undefined; busiest = busiestOf(left)) {
      const { port1, port2 } = new MessageChannel();
      busiest.postMessage({ type: 'helper', port: port1 } satisfies PoolMessage, [port1]);
      await ask(worker, { type: 'help', port: port2 }, [port2], () => {});
    }
  };
  try {
    await Promise.race([Promise.all(workers.map(work)), interrupted]);
    return results;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** What a layer whose bytes were tampered with on the way may fail with, before its digest is known to be wrong. */
const SUSPECT = new Set(['LAYER_INVALID', 'LAYER_REFUSED', 'DIFF_ID_MISMATCH']);

/**
 * Reads a blob as it arrives, and again when the bytes it was read from turned out void. Nothing is said of a layer
 * before its blob is verified: neither that it is well nor that it is broken.
 */
async function readArriving(
  arrival: Arrival,
  read: (location: LayerJob['location'], onAdvance: (bytes: number) => void) => Promise<LayerResult>,
  onAdvance: (bytes: number) => void,
  undo: () => void,
): Promise<LayerResult> {
  let arrived = false;
  arrival.arrived.then(
    () => (arrived = true),
    () => {},
  );
  for (;;) {
    const bytes = await arrival.readable();
    const isVoid = (): boolean => isArriving(bytes) && isDropped(bytes);
    try {
      // While bytes arrive, their arriving is the progress.
      const result = await read(bytes, (count) => arrived && onAdvance(count));
      await arrival.arrived;
      if (!isVoid()) return result;
    } catch (error) {
      if (error instanceof OciError && SUSPECT.has(error.code)) await arrival.arrived;
      if (!isVoid()) throw error;
    }
    undo();
  }
}

/** Who only looks would have taken the index that is there, were it any good. */
function isIndexWanted({ index }: LayerSource, stage: string | undefined): boolean {
  return index !== undefined && (stage === undefined || !existsSync(index.path));
}

function dropStage(stage: string | undefined): void {
  if (stage !== undefined) removeTree(textOf(stage));
}

function sizeOf(layers: readonly LayerSource[], index: number): number {
  return layers[index]?.location.size ?? 0;
}

/** The worker whose layer has most left, if there is one that needs help. */
function busiestOf(left: ReadonlyMap<Worker, number>): Worker | undefined {
  let busiest: Worker | undefined;
  let most = WORTH_HELPING;
  for (const [worker, bytes] of left) {
    if (bytes > most) {
      busiest = worker;
      most = bytes;
    }
  }
  return busiest;
}

async function readInWorker(
  worker: Worker,
  job: LayerJob,
  onAdvance: (bytes: number) => void,
): Promise<LayerResult> {
  const answer = await ask(worker, { type: 'read', job }, [], onAdvance);
  if (answer.type === 'done') return answer.result;
  const where = `layer ${job.descriptor.digest}: `;
  const { code, message, hint } = answer as Extract<WorkerMessage, { type: 'failed' }>;
  throw new OciError(code, message.startsWith(where) ? message : `${where}${message}`, { hint });
}

/** What the worker answers in the end. Rejects when it dies. */
function ask(
  worker: Worker,
  message: PoolMessage,
  transfer: MessagePort[],
  onAdvance: (bytes: number) => void,
): Promise<WorkerMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<WorkerMessage>();
  const onMessage = (answer: WorkerMessage): void => {
    if (answer.type === 'advanced') onAdvance(answer.bytes);
    else resolve(answer);
  };
  const onExit = (code: number): void =>
    reject(new OciError('IO', `a worker thread ended with code ${code}`));
  worker.on('message', onMessage).on('error', reject).on('exit', onExit);
  worker.postMessage(message, transfer);
  return promise.finally(() => worker.off('message', onMessage).off('error', reject).off('exit', onExit));
}
