// What goes in and comes out of every question about an image's files: where each layer's blob lies, and what
// reading it told.
import type { LimitOptions } from '../layer/limits.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Compression } from '../manifest/media-types.ts';
import type { Arrival } from '../place/arrival.ts';
import type { BlobLocation } from '../place/place.ts';
import type { LongOptions } from '../place/progress.ts';
import type { Digest } from '../reference/digest.ts';
import type { IndexFile } from './layer-index.ts';

/** One layer of a stack, lowest first in every list. */
export interface LayerSource {
  descriptor: Descriptor;
  /** Where the blob is; where it will be, while it arrives. */
  location: BlobLocation;
  /** Set while the blob may still be on its way: reading follows it. */
  arrival?: Arrival | undefined;
  /** What the image's config says the inflated bytes hash to; checked when given. */
  diffId?: Digest | undefined;
  /** Where what was found out about it is kept; nothing is kept without. */
  index?: IndexFile | undefined;
}

/** What reading a layer to its end told. */
export interface LayerStats {
  digest: Digest;
  /** Digest of the inflated bytes. */
  diffId: Digest;
  /** Sniffed, because media types lie. */
  compression: Compression;
  /** Inflated bytes. */
  unpackedSize: number;
  /** Tar entries, whiteouts included. */
  entries: number;
  /** Regular files among them. */
  files: number;
}

/** Options of everything that reads layers. */
export interface ReadLayersOptions extends LongOptions {
  limits?: LimitOptions | undefined;
  /** Also check size and digest of each blob: for places that did not do it on the way in. Default false. */
  verifyBlob?: boolean | undefined;
  /** Worker threads at most. Default: the machine's cores. */
  workers?: number | undefined;
}
