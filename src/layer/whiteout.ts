// Whiteouts: names by which a layer says what it takes away from the layers below (image-spec layer.md).
import { OciError } from '../errors.ts';

export type Whiteout =
  /** `name` in the same directory goes. */
  | { kind: 'name'; name: string }
  /** Everything of lower layers in the same directory goes. */
  | { kind: 'opaque' };

const PREFIX = '.wh.';
const OPAQUE = '.wh..wh..opq';
const META_PREFIX = '.wh..wh.';

/** What the last component of a path takes away, if it is a whiteout. Throws LAYER_REFUSED for one that names nothing. */
export function whiteoutOf(base: string): Whiteout | undefined {
  if (!base.startsWith(PREFIX)) return undefined;
  if (base === OPAQUE) return { kind: 'opaque' };
  if (base.startsWith(META_PREFIX)) return undefined;
  const name = base.slice(PREFIX.length);
  if (name === '' || name === '.' || name === '..') {
    throw new OciError(
      'LAYER_REFUSED',
      `the layer has the whiteout ${JSON.stringify(base)}, which names nothing inside it`,
    );
  }
  return { kind: 'name', name };
}

/** True for AUFS's own files (`.wh..wh.plnk`, `.wh..wh.aufs`), which old Docker layers carry: hard links may name them, but no image wants them. */
export function isAufsMetadata(base: string): boolean {
  return base.startsWith(META_PREFIX) && base !== OPAQUE;
}
