// How much an image may ask of us: a few kilobytes of gzip can name terabytes, millions of files or endless
// headers, so every figure is checked before the bytes it stands for are written.
import { OciError } from '../errors.ts';

/** Bounds of an image, which one layer alone must keep as well. */
export interface LayerLimits {
  /** Inflated bytes of all layers, and bytes of their files with holes counted. */
  bytes: number;
  /** Tar entries of all layers, headers without an entry of their own included. */
  entries: number;
  /** Bytes of one PAX header, GNU long name or sparse map. */
  headerBytes: number;
  /** Inflated bytes per blob byte of one layer, looked at once it has passed `RATIO_FLOOR`. */
  ratio: number;
}

/** Bounds to set; what is left out keeps its default. */
export type LimitOptions = { [Bound in keyof LayerLimits]?: LayerLimits[Bound] | undefined };

/** Inflated bytes below which no ratio is suspicious: zeros compress 1000 to 1 in gzip. */
export const RATIO_FLOOR = 1 << 30;

export const DEFAULT_LIMITS: LayerLimits = {
  bytes: 128 * 2 ** 30,
  entries: 4_000_000,
  headerBytes: 1 << 20,
  ratio: 200,
};

/** What passes a bound, and what a person may do about it. */
const BOUNDS = {
  bytes: { what: 'more bytes', hint: 'if you trust the image, raise the limit with --max-bytes' },
  entries: { what: 'more entries', hint: 'if you trust the image, raise the limit with --max-entries' },
  headerBytes: { what: 'a tar header of more bytes', hint: undefined },
  ratio: {
    what: 'a higher compression ratio',
    hint: 'data that shrinks this much is made to fill disks; no flag lets it in',
  },
} as const satisfies Record<keyof LayerLimits, { what: string; hint: string | undefined }>;

/** The defaults with `overrides` laid over them. */
export function layerLimits(overrides: LimitOptions = {}): LayerLimits {
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  return { ...DEFAULT_LIMITS, ...given };
}

/** LIMIT_EXCEEDED: `who` (`the layer`) has more of what `bound` counts than `limit`. */
export function limitExceeded(who: string, bound: keyof LayerLimits, limit: number): OciError {
  const { what, hint } = BOUNDS[bound];
  return new OciError('LIMIT_EXCEEDED', `${who} has ${what} than the limit of ${limit}`, { hint });
}
