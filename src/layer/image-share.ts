// What the layers of one image have used of its limits together. Each is read in a thread of its own, and ten layers
// within a bound may be an image ten times beyond it.
import { type LayerLimits, limitExceeded } from './limits.ts';

/** One layer's part in its image. Plain data: it crosses to a worker. */
export interface ImageShare {
  /** From `imageCounters`, the same for all layers of the image. */
  counters: SharedArrayBuffer;
  /** Index of the layer. */
  layer: number;
}

/** Bytes and entries, a number of 64 bits each. */
const COUNTERS = 2;

/** Counters for an image of so many layers. */
export function imageCounters(layers: number): SharedArrayBuffer {
  return new SharedArrayBuffer(layers * COUNTERS * BigInt64Array.BYTES_PER_ELEMENT);
}

/**
 * A function that takes what this layer has used so far, from its start; a layer that is read again starts at nothing.
 * Throws LIMIT_EXCEEDED when that makes the image, all layers counted, more than `limits` allow.
 */
export function openShare(
  { counters, layer }: ImageShare,
  limits: LayerLimits,
): (bytes: number, entries: number) => void {
  const used = new BigInt64Array(counters);
  const bytesAt = layer * COUNTERS;
  const entriesAt = bytesAt + 1;
  function set(bytes: number, entries: number): void {
    Atomics.store(used, bytesAt, BigInt(bytes));
    Atomics.store(used, entriesAt, BigInt(entries));
  }
  set(0, 0);
  return (bytes, entries) => {
    set(bytes, entries);
    let allBytes = 0;
    let allEntries = 0;
    for (let at = 0; at < used.length; at += COUNTERS) {
      allBytes += Number(Atomics.load(used, at));
      allEntries += Number(Atomics.load(used, at + 1));
    }
    checkImage({ bytes: allBytes, entries: allEntries }, limits);
  };
}

/** Throws LIMIT_EXCEEDED when an image with so many inflated bytes and entries is more than `limits` allow. */
export function checkImage(
  { bytes, entries }: { bytes: number; entries: number },
  limits: Pick<LayerLimits, 'bytes' | 'entries'>,
): void {
  if (bytes > limits.bytes) throw limitExceeded('the image', 'bytes', limits.bytes);
  if (entries > limits.entries) throw limitExceeded('the image', 'entries', limits.entries);
}
