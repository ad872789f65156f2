// What every progress listener needs to know: which blobs there are, how far each is, and how fast it goes.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ProgressEvent } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';
import { blobOf, whyWaiting } from './waiting.ts';

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
  /** All blobs together; with the rate of now. */
  sum(now: number): TransferSum;
  /** The local file that is read for its digest now. */
  readonly hashing: Hashing | undefined;
  /** What waits that is no blob, such as the manifest at the start, and why; empty when nothing does. */
  readonly waiting: string;
  apply(event: ProgressEvent, now: number): void;
}

/** How far a local file is. */
export type Hashing = Pick<Extract<ProgressEvent, { type: 'hashing' }>, 'path' | 'bytes' | 'size'>;

/** Bytes of all blobs together. */
export interface TransferSum {
  /** Blobs that are done, of how many. */
  done: number;
  count: number;
  held: number;
  total: number;
  /** Bytes that were there before, and bytes of blobs that went on where an earlier attempt stopped. */
  reused: number;
  resumed: number;
  /** Bytes per second; 0 when nothing moves, or too little is known. */
  rate: number;
  /** Seconds until everything is there; undefined when nothing moves or everything is done. */
  left: number | undefined;
}

/** The rate is measured over this long. Milliseconds. */
const RATE_WINDOW = 3000;

export function createTransferState(): TransferState {
  const transfers = new Map<Digest, Transfer>();
  /** Sums of received bytes, one sample a tenth of a second. */
  const samples: { at: number; total: number }[] = [];
  let received = 0;
  let reused = 0;
  let resumed = 0;
  let waiting = '';
  let hashing: Hashing | undefined;

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
    waiting = '';
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
      case 'resolved':
        waiting = '';
        break;
      case 'queued':
        waiting = '';
        of(event.descriptor);
        break;
      case 'started':
      case 'resumed': {
        const transfer = of(event.descriptor);
        transfer.phase = 'pulling';
        transfer.bytes = event.offset;
        transfer.note = event.type === 'resumed' ? 'resumed' : '';
        if (event.type === 'resumed') resumed += event.offset;
        break;
      }
      case 'advanced':
        advance(transfers.get(event.digest), 'pulling', event.bytes, now);
        break;
      case 'unpacking':
        advance(transfers.get(event.digest), 'unpacking', event.bytes, now);
        break;
      case 'reused':
        reused += event.descriptor.size;
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
        const digest = blobOf(event);
        const transfer = digest === undefined ? undefined : transfers.get(digest);
        const why = whyWaiting(event, new Date());
        if (transfer === undefined) {
          waiting = `${event.what}: ${why}`;
        } else {
          transfer.phase = 'retrying';
          transfer.note = why;
        }
        break;
      }
      case 'hashing':
        hashing = event.bytes < event.size ? event : undefined;
        break;
      default:
        break;
    }
  }

  function rate(now: number): number {
    const first = samples[0];
    if (first === undefined || now - first.at < 200) return 0;
    return ((received - first.total) * 1000) / (now - first.at);
  }

  function sum(now: number): TransferSum {
    const all = [...transfers.values()];
    const total = all.reduce((bytes, { descriptor }) => bytes + descriptor.size, 0);
    const held = all.reduce((bytes, one) => bytes + (one.phase === 'waiting' ? 0 : one.bytes), 0);
    const done = all.filter(({ phase }) => phase === 'done').length;
    const speed = rate(now);
    const left = speed > 0 && done < all.length ? (total - held) / speed : undefined;
    return { done, count: all.length, held, total, reused, resumed, rate: speed, left };
  }

  return {
    transfers,
    rate,
    sum,
    apply,
    get hashing() {
      return hashing;
    },
    get waiting() {
      return waiting;
    },
  };
}
