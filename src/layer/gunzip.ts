// gzip (RFC 1952), its members framed here rather than by zlib, so that what follows the last one is known for what it
// is: pigz, bgzip and estargz write many members; NULs or junk after the last are ignored, as gzip(1) does.
import { crc32 } from 'node:zlib';
import { OciError } from '../errors.ts';
import { type BlobInput, type DecoderOptions, drain, type Fill, truncated } from './blob-input.ts';
import { type Checkpoint, FRESH, resumePrefix, WINDOW, windowOf } from './checkpoints.ts';
import type { ZlibSteps } from './zlib-steps.ts';

interface GunzipOptions extends DecoderOptions {
  /** Where to begin, when that is not the blob's start. */
  checkpoint: Checkpoint | undefined;
}

/** Inflates `input`, which begins with a member or at a checkpoint. Throws LAYER_INVALID. */
export function gunzip(input: BlobInput, zlib: ZlibSteps, options: GunzipOptions): Fill {
  const { finder, checkpoint, position } = options;
  let state: 'header' | 'body' | 'end' = 'header';
  let { checksum } = options;
  let crc = 0;
  let length = 0;
  /** Inflated bytes of all members. */
  let total = 0;
  if (checkpoint !== undefined && checkpoint.bit !== FRESH) {
    resumeDeflate(input, zlib, checkpoint);
    state = 'body';
    checksum = false;
  }
  return (slab, start) => {
    let end = start;
    while (end < slab.length && state !== 'end') {
      if (state === 'header') {
        finder?.fresh(total, position());
        skipGzipHeader(input);
        zlib.reset();
        crc = 0;
        length = 0;
        state = 'body';
      }
      if (input.from === input.to && !input.refill()) throw truncated('gzip');
      const toBlock = finder?.wanted(total) === true;
      if (toBlock) zlib.stepToBlock(input.buffer, input.from, input.to, slab, end);
      else zlib.step(input.buffer, input.from, input.to, slab, end, false);
      input.from += zlib.consumed;
      if (checksum) crc = crc32(slab.subarray(end, end + zlib.produced), crc);
      length = (length + zlib.produced) >>> 0;
      total += zlib.produced;
      end += zlib.produced;
      if (input.from === input.to || end === slab.length) continue;
      if (toBlock && zlib.consumed + zlib.produced > 0) {
        // Stopped before a block, or at the member's end, which the next step tells.
        finder?.block(input.buffer, input.from, input.to, position(), slab, end, total);
        continue;
      }
      // zlib stopped with input and room left: the member is over.
      const expected = gzipNumber(input);
      if (checksum && expected !== crc) throw damaged('its checksum does not match');
      if (gzipNumber(input) !== length && options.checkpoint === undefined)
        throw damaged('its length does not match');
      state = nextMember(input) ? 'header' : 'end';
      checksum = options.checksum;
    }
    finder?.settle(slab, end);
    return end;
  };
}

/** Brings the inflater to the state it had at the checkpoint, whose byte is the next of the input. */
function resumeDeflate(input: BlobInput, zlib: ZlibSteps, checkpoint: Checkpoint): void {
  const { bit } = checkpoint;
  const prefix = resumePrefix(windowOf(checkpoint), bit, bit === 0 ? 0 : byte(input));
  const scratch = Buffer.allocUnsafeSlow(WINDOW + 1024);
  zlib.reset();
  zlib.step(prefix, 0, prefix.length, scratch, 0, false);
}

function byte(input: BlobInput): number {
  if (input.from === input.to && !input.refill()) throw truncated('gzip');
  return input.buffer[input.from++] as number;
}

function gzipNumber(input: BlobInput): number {
  return (byte(input) | (byte(input) << 8) | (byte(input) << 16) | (byte(input) << 24)) >>> 0;
}

function skipGzipHeader(input: BlobInput): void {
  const magic = byte(input) === 0x1f && byte(input) === 0x8b;
  if (!magic || byte(input) !== 8) throw damaged('its header is not one');
  const flags = byte(input);
  for (let i = 0; i < 6; i++) byte(input);
  if (flags & 4) for (let left = byte(input) | (byte(input) << 8); left > 0; left--) byte(input);
  if (flags & 8) while (byte(input) !== 0);
  if (flags & 16) while (byte(input) !== 0);
  if (flags & 2) {
    byte(input);
    byte(input);
  }
}

/** True when another member follows; otherwise reads to the end of the blob. */
function nextMember(input: BlobInput): boolean {
  if (input.from === input.to && !input.refill()) return false;
  if (input.buffer[input.from] === 0x1f) return true;
  drain(input);
  return false;
}

function damaged(why: string): OciError {
  return new OciError('LAYER_INVALID', `the layer's gzip stream is damaged: ${why}`);
}
