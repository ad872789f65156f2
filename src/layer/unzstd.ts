// zstd (RFC 8878), frame behind frame; junk after the last is ignored, as with gzip.
import { OciError } from '../errors.ts';
import { type BlobInput, type DecoderOptions, drain, type Fill, truncated } from './blob-input.ts';
import type { ZlibFailure, ZlibSteps } from './zlib-steps.ts';
import { createZstdFrames } from './zstd-frames.ts';

/** Decompresses `input`, which begins with a frame. Throws LAYER_INVALID. */
export function unzstd(
  input: BlobInput,
  zlib: ZlibSteps,
  { checksum, position, finder }: DecoderOptions,
): Fill {
  const frames = checksum ? undefined : createZstdFrames();
  /** Of the input: what the decoder may have, and what is left out behind that. */
  let ready = 0;
  let leftOut = 0;
  let total = 0;
  let last = false;
  let ended = false;
  return (slab, start) => {
    let end = start;
    while (end < slab.length && !ended) {
      if (input.from === input.to && !last) last = !input.refill();
      if (ready === 0 && leftOut > 0) {
        if (last) throw truncated('zstd');
        const step = Math.min(leftOut, input.to - input.from);
        input.from += step;
        leftOut -= step;
        if (leftOut === 0 && input.from < input.to) finder?.fresh(total, position());
        continue;
      }
      if (ready === 0) {
        ready = frames?.walk(input.buffer, input.from, input.to) ?? input.to - input.from;
        leftOut = frames?.takeChecksum() ?? 0;
      }
      try {
        zlib.step(input.buffer, input.from, input.from + ready, slab, end, last);
      } catch (error) {
        // Only a frame's first bytes can be unknown, and the first frame's were sniffed: this is junk after the end.
        if (!isUnknownFrame(error)) throw error;
        drain(input);
        ended = true;
        break;
      }
      input.from += zlib.consumed;
      ready -= zlib.consumed;
      end += zlib.produced;
      total += zlib.produced;
      // Stopped with input and room left: a frame is over, and another begins.
      if (ready > 0 && end < slab.length) finder?.fresh(total, position());
      ended = last && zlib.produced === 0;
    }
    return end;
  };
}

function isUnknownFrame(error: unknown): boolean {
  const cause = error instanceof OciError ? (error.cause as Partial<ZlibFailure> | undefined) : undefined;
  return cause?.code === 'ZSTD_error_prefix_unknown';
}
