// A zstd file may be several frames (pzstd writes them so). Node 26's decoder ends, without an error, after a frame
// that another follows in the same chunk: chunks are cut at the end of each frame, and then it reads them all.

type Phase = 'frame' | 'block' | 'content';

const MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;

/** The same bytes, no chunk reaching over the end of a frame (RFC 8878, 3.1). */
export async function* cutZstdFrames(input: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const walk = createFrameWalk();
  for await (const chunk of input) {
    let start = 0;
    for (let position = 0; position < chunk.length; ) {
      position = walk(chunk, position);
      if (position < 0) {
        yield chunk.subarray(start, -position);
        position = -position;
        start = position;
      }
    }
    if (start < chunk.length) yield chunk.subarray(start);
  }
}

/** Goes one header or the rest of the chunk further; the new position, negative at the end of a frame. */
function createFrameWalk(): (chunk: Buffer, position: number) => number {
  const head = Buffer.alloc(8);
  let phase: Phase = 'frame';
  let held = 0;
  /** Bytes to pass before the next header, and whether they are the frame's last. */
  let left = 0;
  let isLast = false;
  let checksum = 0;

  function readHeader(): boolean {
    if (phase === 'frame') {
      if (held < 5) return false;
      const magic = head.readUInt32LE(0);
      if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) {
        if (held < 8) return false;
        left = head.readUInt32LE(4);
        isLast = true;
      } else {
        const descriptor = head[4]!;
        checksum = descriptor & 4 ? 4 : 0;
        // What follows is no frame: it passes uncut, and the decoder says what is wrong with it.
        left = magic === MAGIC ? frameHeaderSize(descriptor) : Number.POSITIVE_INFINITY;
      }
    } else {
      if (held < 3) return false;
      const header = head.readUIntLE(0, 3);
      isLast = (header & 1) === 1;
      // A run-length block is one byte, whatever length it stands for.
      left = (((header >> 1) & 3) === 1 ? 1 : header >> 3) + (isLast ? checksum : 0);
    }
    held = 0;
    phase = 'content';
    return true;
  }

  return (chunk, position) => {
    let at = position;
    while (phase !== 'content' && at < chunk.length) {
      head[held] = chunk[at]!;
      held += 1;
      at += 1;
      readHeader();
    }
    if (phase !== 'content') return at;
    const passed = Math.min(left, chunk.length - at);
    left -= passed;
    at += passed;
    if (left > 0) return at;
    const ended = isLast;
    phase = ended ? 'frame' : 'block';
    isLast = false;
    return ended ? -at : at;
  };
}

/** Bytes of a frame's header after its descriptor: window, dictionary ID and content size (RFC 8878, 3.1.1.1). */
function frameHeaderSize(descriptor: number): number {
  const single = (descriptor >> 5) & 1;
  const contentSize = [single, 2, 4, 8][descriptor >> 6]!;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  return 1 - single + dictionary + contentSize;
}
