// A layer read again for the bodies of some of its files, off and on, on the main thread: for export and for looking
// at one file. Its diff ID was checked when the tree was read.
import { OciError } from '../errors.ts';
import { openFileRange } from '../layer/byte-source.ts';
import { inflate } from '../layer/inflate.ts';
import { layerLimits } from '../layer/limits.ts';
import { readTar, type TarReader } from '../layer/tar-reader.ts';
import type { LayerSource } from './layer-source.ts';
import type { TreeNode } from './tree.ts';

export interface ReopenedLayer {
  /**
   * Moves to the entry that `node` came from; nodes must be asked for in the order of their entries.
   * Yields each time some work is done, so that other things can run. Throws LAYER_INVALID when the layer changed.
   */
  seek(node: TreeNode): Generator<void>;
  /** The pieces of the file's content, holes filled with zeros, each valid until the next. */
  body(node: TreeNode): Generator<Buffer>;
  close(): void;
}

const ZEROS = Buffer.alloc(64 * 1024);

export function reopenLayer(source: LayerSource): ReopenedLayer {
  const slabs = inflate(openFileRange(source.location));
  let slabsRead = 0;
  const nextSlab = (): Buffer | undefined => {
    slabsRead++;
    return slabs.next();
  };
  // The limits held when the tree was read.
  const none = Number.POSITIVE_INFINITY;
  const tar: TarReader = readTar(nextSlab, { ...layerLimits(), bytes: none, entries: none, ratio: none });
  let index = -1;
  return {
    *seek(node) {
      while (index < node.entry) {
        const before = slabsRead;
        const entry = tar.next();
        index++;
        if (entry === undefined) throw changed(source);
        if (index === node.entry && (entry.kind !== 'file' || entry.size !== node.size))
          throw changed(source);
        if (slabsRead !== before) yield;
      }
    },
    *body(node) {
      let at = 0;
      for (let piece = tar.body(); piece !== undefined; piece = tar.body()) {
        for (; at < tar.bodyOffset; at += Math.min(ZEROS.length, tar.bodyOffset - at)) {
          yield ZEROS.subarray(0, Math.min(ZEROS.length, tar.bodyOffset - at));
        }
        yield piece;
        at += piece.length;
      }
      for (; at < node.size; at += Math.min(ZEROS.length, node.size - at)) {
        yield ZEROS.subarray(0, Math.min(ZEROS.length, node.size - at));
      }
    },
    close: slabs.close,
  };
}

function changed({ descriptor }: LayerSource): OciError {
  return new OciError(
    'LAYER_INVALID',
    `layer ${descriptor.digest} is not what it was when its files were listed`,
  );
}

/** Lets timers, signals and other streams have their turn. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
