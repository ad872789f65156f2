// Where the frames of a zstd stream end, told by the lengths written in it (RFC 8878, 3.1). So that a caller who checks a
// digest of what comes out can have the decoder leave out the frames' own checksum: XXH64 of every inflated byte,
// a tenth of the decoder's time. The decoder knows no option for it that Node would pass on.

export interface ZstdFrames {
  /**
   * Goes over the bytes that come next, in order, and returns how many of them the decoder may have: all of them, or
   * those in front of a checksum. Takes the checksum's flag out of frame headers, in place.
   */
  walk(buffer: Uint8Array, from: number, to: number): number;
  /** Bytes of checksum that follow what `walk` returned. Whoever leaves them out calls `walk` with what is behind. */
  takeChecksum(): number;
}

/** A number of the format that is being read, least byte first; `body` is what has no meaning here. */
type Field = keyof typeof LENGTH | 'body' | 'no frame';

/** Bytes of each number. */
const LENGTH = { magic: 4, descriptor: 1, block: 3, 'skippable size': 4 } as const;
const HAS_CHECKSUM = 1 << 2;
const CHECKSUM = 4;
const RLE = 1;

export function createZstdFrames(): ZstdFrames {
  let field: Field = 'magic';
  let value = 0;
  let bytes = 0;
  let body = 0;
  let afterBody: Field = 'magic';
  let hasChecksum = false;
  let checksum = 0;

  function toBody(length: number, after: Field): void {
    body = length;
    afterBody = after;
    field = 'body';
    if (length === 0) endBody();
  }

  function endBody(): void {
    // Behind a block comes a block, or, behind the last, the frame's checksum and the next frame.
    if (afterBody === 'magic' && hasChecksum) {
      checksum = CHECKSUM;
      hasChecksum = false;
    }
    field = afterBody;
  }

  function take(number: keyof typeof LENGTH): void {
    switch (number) {
      case 'magic':
        if (value === 0xfd2fb528) field = 'descriptor';
        else field = value >>> 4 === 0x184d2a5 ? 'skippable size' : 'no frame';
        break;
      case 'skippable size':
        toBody(value, 'magic');
        break;
      case 'descriptor':
        hasChecksum = (value & HAS_CHECKSUM) !== 0;
        toBody(restOfHeader(value), 'block');
        break;
      case 'block': {
        const size = value >>> 3;
        toBody(((value >>> 1) & 3) === RLE ? 1 : size, (value & 1) === 1 ? 'magic' : 'block');
        break;
      }
    }
  }

  return {
    walk(buffer, from, to) {
      let at = from;
      while (at < to && checksum === 0) {
        // What is no frame is for the decoder to judge.
        if (field === 'no frame') return to - from;
        if (field === 'body') {
          const step = Math.min(body, to - at);
          at += step;
          body -= step;
          if (body === 0) endBody();
          continue;
        }
        const byte = buffer[at] as number;
        if (field === 'descriptor') buffer[at] = byte & ~HAS_CHECKSUM;
        at++;
        value = (value | (byte << (8 * bytes))) >>> 0;
        bytes++;
        if (bytes < LENGTH[field]) continue;
        take(field);
        value = 0;
        bytes = 0;
      }
      return at - from;
    },
    takeChecksum() {
      const length = checksum;
      checksum = 0;
      return length;
    },
  };
}

/** Bytes of a frame's header behind its descriptor: window, dictionary, size of the content. */
function restOfHeader(descriptor: number): number {
  const single = (descriptor >> 5) & 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3] as number;
  const size = [single, 2, 4, 8][descriptor >> 6] as number;
  return 1 - single + dictionary + size;
}
