// A worker thread that reads layers, one after the other, as the pool hands them out.
import { parentPort } from 'node:worker_threads';
import { type ErrorCode, OciError } from '../errors.ts';
import { transferList } from './entry-log.ts';
import { type LayerJob, type LayerResult, readLayer } from './read-layer.ts';

/** What a worker tells the pool. */
export type WorkerMessage =
  | { type: 'advanced'; bytes: number }
  | { type: 'done'; result: LayerResult }
  | { type: 'failed'; code: ErrorCode; message: string; hint: string | undefined };

const port = parentPort;
if (port !== null) {
  const tell = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  port.on('message', (job: LayerJob) => {
    try {
      const result = readLayer(job, (bytes) => tell({ type: 'advanced', bytes }));
      tell({ type: 'done', result }, transferList(result.log));
    } catch (error) {
      // Anything but an expected failure is a defect: it goes to the pool as the thread's own error.
      if (!(error instanceof OciError)) throw error;
      const { code, message, hint } = error;
      tell({ type: 'failed', code, message, hint });
    }
  });
}
