// Memory for the bodies of answers: lent to one answer at a time and used again. The more answers there are at once, the
// smaller their buffers: 200 clients that read slowly hold 37 MB, 2,000 hold 86 MB.

/** Bytes of a buffer, and how many of that size are lent at once. 256 KiB stay in a core's cache between two copies. */
const SIZES = [
  { bytes: 256 * 1024, most: 128 },
  { bytes: 64 * 1024, most: 512 },
  { bytes: 16 * 1024, most: Number.POSITIVE_INFINITY },
].map((size) => ({ ...size, lent: 0, free: [] as Buffer[] }));

/** A buffer of the largest size there is one of. It must be returned or given up. */
export function lendBuffer(): Buffer {
  const size = SIZES.find(({ lent, most }) => lent < most) as Size;
  size.lent += 1;
  return size.free.pop() ?? Buffer.allocUnsafeSlow(size.bytes);
}

/** Only when the kernel has taken all that was in it. */
export function returnBuffer(buffer: Buffer): void {
  const size = sizeOf(buffer);
  size.lent -= 1;
  size.free.push(buffer);
}

/** For a buffer whose bytes may still be on their way: it is not used again. */
export function giveUpBuffer(buffer: Buffer): void {
  sizeOf(buffer).lent -= 1;
}

type Size = (typeof SIZES)[number];

function sizeOf(buffer: Buffer): Size {
  return SIZES.find(({ bytes }) => bytes === buffer.length) as Size;
}
