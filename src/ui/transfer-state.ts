// What every progress listener needs to know: which blobs there are, how far each is, and how fast it goes.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ProgressEvent } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';

/** One blob or layer as the listeners show it. */
export interface Transfer {
  descriptor: Descriptor;
  phase: 'waiting' | 'pulling' | 'retrying' | 'unpacking' | 'done';
  /** What the finished line says: `pulled`, `already there`, `unpacked`. */
  outcome: string;
  /** Bytes so far in this phase, of `descriptor.size`. */
  bytes: number;
  /** Why it does not move. */
  note: string;
}

/** The state of one operation, in the order the blobs were named. */
export interface TransferState {
  transfers: Map<Digest, Transfer>;
  /** Bytes per second over the last seconds. */
  rate(now: number): number;
  apply(event: ProgressEvent, now: number): void;
}

/** The rate is measured over this long. Milliseconds. */
const RATE_WINDOW = 3000;

export function createTransferState(): TransferState {
  const transfers = new Map<Digest, Transfer>();
  /** Sums of received bytes, one sample a tenth of a second. */
  const samples: { at: number; total: number }[] = [];
  let received = 0;

  function of(descriptor: Descriptor): Transfer {
    let transfer = transfers.get(descriptor.digest);
    if (transfer === undefined) {
      transfer = { descriptor, phase: 'waiting', outcome: '', bytes: 0, note: '' };
      transfers.set(descriptor.digest, transfer);
    }
    return transfer;
  }

  function advance(
    transfer: Transfer | undefined,
    phase: Transfer['phase'],
    bytes: number,
    now: number,
  ): void {
    if (transfer === undefined) return;
    received += Math.max(0, bytes - (transfer.phase === phase ? transfer.bytes : bytes));
    transfer.phase = phase;
    transfer.bytes = bytes;
    transfer.note = '';
    const last = samples.at(-1);
    if (last === undefined || now - last.at >= 100) samples.push({ at: now, total: received });
    while (samples.length > 2 && now - (samples[0]?.at ?? now) > RATE_WINDOW) samples.shift();
  }

  function finish(transfer: Transfer, outcome: string): void {
    transfer.phase = 'done';
    transfer.outcome = outcome;
    transfer.bytes = transfer.descriptor.size;
    transfer.note = '';
  }

  function apply(event: ProgressEvent, now: number): void {
    switch (event.type) {
      case 'queued':
        of(event.descriptor);
        break;
      case 'started':
      case 'resumed': {
        const transfer = of(event.descriptor);
        transfer.phase = 'pulling';
        transfer.bytes = event.offset;
        transfer.note = event.type === 'resumed' ? 'resumed' : '';
        break;
      }
      case 'advanced':
        advance(transfers.get(event.digest), 'pulling', event.bytes, now);
        break;
      case 'unpacking':
        advance(transfers.get(event.digest), 'unpacking', event.bytes, now);
        break;
      case 'reused':
        finish(of(event.descriptor), 'already there');
        break;
      case 'done':
        finish(of(event.descriptor), event.verb ?? 'pulled');
        break;
      case 'unpacked': {
        const transfer = transfers.get(event.digest);
        if (transfer !== undefined) finish(transfer, 'unpacked');
        break;
      }
      case 'retrying': {
        const transfer = event.digest === undefined ? undefined : transfers.get(event.digest);
        if (transfer !== undefined) {
          transfer.phase = 'retrying';
          transfer.note = `${event.reason}, again in ${Math.ceil(event.delayMs / 1000)}s`;
        }
        break;
      }
      default:
        break;
    }
  }

  function rate(now: number): number {
    const first = samples[0];
    if (first === undefined || now - first.at < 200) return 0;
    return ((received - first.total) * 1000) / (now - first.at);
  }

  return { transfers, rate, apply };
}
