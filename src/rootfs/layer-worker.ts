// A worker thread that reads layers, one after the other, as the pool hands them out; with none left for it, it helps
// another worker with writing files.
import { type MessagePort, parentPort, receiveMessageOnPort } from 'node:worker_threads';
import { type ErrorCode, OciError } from '../errors.ts';
import { transferList } from './entry-log.ts';
import { help } from './hand-out.ts';
import { type LayerJob, type LayerResult, readLayer } from './read-layer.ts';

/** What the pool tells a worker. */
export type PoolMessage =
  | { type: 'read'; job: LayerJob }
  /** Write the files that come through the port. */
  | { type: 'help'; port: MessagePort }
  /** Another worker is at the port's other end, to help with the layer that is being read. */
  | { type: 'helper'; port: MessagePort };

/** What a worker tells the pool. */
export type WorkerMessage =
  | { type: 'advanced'; bytes: number }
  | { type: 'done'; result: LayerResult }
  | { type: 'helped' }
  | { type: 'failed'; code: ErrorCode; message: string; hint: string | undefined };

const port = parentPort;
if (port !== null) {
  const tell = (message: WorkerMessage, transfer: ArrayBuffer[] = []): void =>
    port.postMessage(message, transfer);
  // Reading blocks the event loop: what comes meanwhile is fetched by hand. It can only be helpers.
  const nextHelper = (): MessagePort | undefined => {
    const got: { message: Extract<PoolMessage, { type: 'helper' }> } | undefined = receiveMessageOnPort(port);
    return got?.message.port;
  };

  const read = (job: LayerJob): void => {
    try {
      const result = readLayer(job, (bytes) => tell({ type: 'advanced', bytes }), nextHelper);
      const index = result.index === undefined ? [] : [result.index.buffer as ArrayBuffer];
      tell({ type: 'done', result }, [...transferList(result.log), ...index]);
    } catch (error) {
      // Anything but an expected failure is a defect: it goes to the pool as the thread's own error.
      if (!(error instanceof OciError)) throw error;
      const { code, message, hint } = error;
      tell({ type: 'failed', code, message, hint });
    }
  };
  port.on('message', (message: PoolMessage) => {
    if (message.type === 'read') read(message.job);
    else if (message.type === 'help') help(message.port, () => tell({ type: 'helped' }));
    // The layer was finished before its helper came.
    else message.port.close();
  });
}
