// Progress as typed events: bars, plain lines and JSON lines are three listeners of the same stream.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';

/** What a long operation tells while it runs. Byte counts are of the blob as transferred. */
export type ProgressEvent =
  | { type: 'resolved'; name: string; descriptor: Descriptor }
  /** A blob is wanted; it may wait for its turn. */
  | { type: 'queued'; descriptor: Descriptor }
  | { type: 'started'; descriptor: Descriptor; offset: number }
  | { type: 'resumed'; descriptor: Descriptor; offset: number }
  /** `bytes` are held now, of `descriptor.size`. */
  | { type: 'advanced'; digest: Digest; bytes: number }
  | { type: 'reused'; descriptor: Descriptor }
  /** `verb` says what was done to it; `pulled` when it is not there. */
  | { type: 'done'; descriptor: Descriptor; verb?: TransferVerb | undefined }
  /** `what` waits `delayMs` and is tried again. `status` is what a registry answered: 429 when it limits requests. */
  | {
      type: 'retrying';
      what: string;
      reason: string;
      attempt: number;
      delayMs: number;
      digest?: Digest;
      status?: number;
    }
  | { type: 'warning'; message: string }
  /** A local file is read for its digest, before anything is sent: `bytes` so far, of `size`. The last one says all. */
  | { type: 'hashing'; path: string; bytes: number; size: number }
  /** A layer is being unpacked: bytes of the compressed blob read so far. */
  | { type: 'unpacking'; digest: Digest; bytes: number }
  | { type: 'unpacked'; digest: Digest; entries: number };

/** What became of a blob, by where it went. */
export type TransferVerb = 'pulled' | 'pushed' | 'copied' | 'saved' | 'loaded';

export type OnProgress = (event: ProgressEvent) => void;

/** What every long operation takes. */
export interface LongOptions {
  signal?: AbortSignal | undefined;
  onProgress?: OnProgress | undefined;
}
