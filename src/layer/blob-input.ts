// A blob's bytes on their way into a decoder, and what decoders of both formats do with them.
import { OciError } from '../errors.ts';
import type { CheckpointFinder } from './checkpoints.ts';

/** The blob bytes read but not yet used. */
export interface BlobInput {
  buffer: Buffer;
  from: number;
  to: number;
  /** Replaces used-up bytes by the next ones; false at the end. Call only when `from === to`. */
  refill(): boolean;
}

/** Writes inflated bytes into `slab` from `start` on; returns where they end, short of its length only at the end. */
export type Fill = (slab: Buffer, start: number) => number;

/** What both decoders are told. */
export interface DecoderOptions {
  /** Whether to compute and compare the format's own checksums. */
  checksum: boolean;
  /** Blob bytes used up. */
  position(): number;
  finder: CheckpointFinder | undefined;
}

/** Reads to the end of the blob, for its digest. */
export function drain(input: BlobInput): void {
  while (input.refill());
}

export function truncated(format: string): OciError {
  return new OciError('LAYER_INVALID', `the layer's ${format} stream ends too early`);
}
