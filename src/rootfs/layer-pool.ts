// Reads the layers of an image in worker threads, each layer in one, the biggest first. Reading blocks, so a thread
// per layer is what makes layers parallel; the pool is as wide as the machine.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { abortError, OciError, throwIfAborted } from '../errors.ts';
import { imageCounters } from '../layer/image-share.ts';
import { layerLimits } from '../layer/limits.ts';
import { type Arrival, isArriving, isDropped } from '../place/arrival.ts';
import type { LayerSource, ReadLayersOptions } from './layer-source.ts';
import type { WorkerMessage } from './layer-worker.ts';
import type { LayerJob, LayerResult } from './read-layer.ts';
import { removeTree } from './staging.ts';

/** Beside this file; the bundle has it beside its chunk. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './layer-worker.ts' : './layer-worker.js',
  import.meta.url,
);

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
  const workers = Array.from(
    { length: Math.min(options.workers ?? availableParallelism(), layers.length) },
    () => new Worker(WORKER),
  );
  const { promise: interrupted, reject: interrupt } = Promise.withResolvers<never>();
  interrupted.catch(() => {});
  const onAbort = (): void => interrupt(abortError(signal));
  signal?.addEventListener('abort', onAbort, { once: true });

  const work = async (worker: Worker): Promise<void> => {
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) {
      const layer = layers[index] as LayerSource;
      const { descriptor, diffId } = layer;
      const { digest } = descriptor;
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
            stage: stageOf(index),
          },
          onAdvance,
        );
      const onAdvance = (bytes: number): void => onProgress?.({ type: 'unpacking', digest, bytes });
      const result =
        layer.arrival === undefined
          ? await read(layer.location, onAdvance)
          : await readArriving(layer.arrival, read, onAdvance, () => dropStage(stageOf(index)));
      if (result.warning !== undefined) onProgress?.({ type: 'warning', message: result.warning });
      onProgress?.({ type: 'unpacked', digest, entries: result.stats.entries });
      results[index] = result;
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

function dropStage(stage: string | undefined): void {
  if (stage !== undefined) removeTree(stage);
}

function sizeOf(layers: readonly LayerSource[], index: number): number {
  return layers[index]?.location.size ?? 0;
}

function readInWorker(
  worker: Worker,
  job: LayerJob,
  onAdvance: (bytes: number) => void,
): Promise<LayerResult> {
  const { promise, resolve, reject } = Promise.withResolvers<LayerResult>();
  const onMessage = (message: WorkerMessage): void => {
    if (message.type === 'advanced') onAdvance(message.bytes);
    else if (message.type === 'done') resolve(message.result);
    else {
      const where = `layer ${job.descriptor.digest}: `;
      const text = message.message.startsWith(where) ? message.message : `${where}${message.message}`;
      reject(new OciError(message.code, text, { hint: message.hint }));
    }
  };
  const onExit = (code: number): void =>
    reject(new OciError('IO', `a worker thread ended with code ${code}`));
  worker.on('message', onMessage).on('error', reject).on('exit', onExit);
  worker.postMessage(job);
  return promise.finally(() => worker.off('message', onMessage).off('error', reject).off('exit', onExit));
}
