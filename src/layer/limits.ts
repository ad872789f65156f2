// How much a layer may ask of us: a few kilobytes of gzip can name terabytes, millions of files or endless
// headers, so every figure is checked before the bytes it stands for are written.
import { OciError } from '../errors.ts';

/** Bounds of one layer. */
export interface LayerLimits {
  /** Inflated bytes of one layer, and bytes of its files with holes counted. */
  bytes: number;
  /** Tar entries of one layer, headers without an entry of their own included. */
  entries: number;
  /** Bytes of one PAX header, GNU long name or sparse map. */
  headerBytes: number;
  /** Inflated bytes per blob byte, looked at once a layer has passed `RATIO_FLOOR`. */
  ratio: number;
}

/** Inflated bytes below which no ratio is suspicious: zeros compress 1000 to 1 in gzip. */
export const RATIO_FLOOR = 1 << 30;

export const DEFAULT_LIMITS: LayerLimits = {
  bytes: 128 * 2 ** 30,
  entries: 4_000_000,
  headerBytes: 1 << 20,
  ratio: 200,
};

/** The defaults with `overrides` laid over them. */
export function layerLimits(overrides: Partial<LayerLimits> = {}): LayerLimits {
  return { ...DEFAULT_LIMITS, ...overrides };
}

/** LIMIT_EXCEEDED for `what`, which would be more than `limit`. */
export function limitExceeded(what: string, limit: number): OciError {
  return new OciError('LIMIT_EXCEEDED', `the layer has ${what} than the limit of ${limit}`, {
    hint: 'if you trust the image, raise the limit',
  });
}
