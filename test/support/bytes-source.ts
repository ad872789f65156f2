// Bytes in memory as the source of a layer, handed out in pieces of any size.
import type { ByteSource } from '../../src/layer/byte-source.ts';

export function bytesSource(bytes: Uint8Array, pieceSize = Number.POSITIVE_INFINITY): ByteSource {
  let at = 0;
  return {
    read(buffer) {
      const length = Math.min(buffer.length, bytes.length - at, pieceSize);
      buffer.set(bytes.subarray(at, at + length));
      at += length;
      return length;
    },
    close() {},
  };
}
