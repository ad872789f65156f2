import type { Readable } from 'node:stream';
import { OciError } from '../errors.ts';
import type { LayerSource } from './layer-source.ts';
import type { Tree } from './tree.ts';

/**
 * The flattened tree as one uncompressed tar stream. `tree` is what `readTree(layers)` gave; the bodies are read
 * again from the layers. The same image gives the same bytes. Destroying the stream ends the work.
 */
export function exportTree(
  _tree: Tree,
  _layers: readonly LayerSource[],
  _options: { signal?: AbortSignal | undefined } = {},
): Readable {
  throw new OciError('UNSUPPORTED', 'not written yet');
}
