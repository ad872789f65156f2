// A layer read again for the bodies of some of its files, off and on, on the main thread: for export and for looking
// at one file. With an index, what lies in front of a file is jumped over. Its diff ID was checked when the tree was read.
import { OciError } from '../errors.ts';
import { openFileRange } from '../layer/byte-source.ts';
import type { Checkpoint } from '../layer/checkpoints.ts';
import { inflate, type SlabReader } from '../layer/inflate.ts';
import { layerLimits } from '../layer/limits.ts';
import { readTar, type TarReader } from '../layer/tar-reader.ts';
import { checkpointBefore, type LayerIndex } from './layer-index.ts';
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

/** The layer from some entry on. */
interface Reading {
  slabs: SlabReader;
  tar: TarReader;
  /** Inflated bytes of the layer so far, those in front included. */
  inflated: number;
}

const ZEROS = Buffer.alloc(64 * 1024);

export function reopenLayer(source: LayerSource): ReopenedLayer {
  const index = source.index?.read();
  let reading = start(inflate(openFileRange(source.location)), 0);
  let entry = -1;

  /** Goes to where the node's entry begins, when a checkpoint is nearer to it than what was read. */
  function jump(node: TreeNode): void {
    const offset = index?.log.offsets[node.entry];
    if (index === undefined || offset === undefined) return;
    const checkpoint = checkpointBefore(index, offset);
    if (checkpoint === undefined || checkpoint.output <= reading.inflated) return;
    reading.slabs.close();
    reading = start(inflateFrom(source, index, checkpoint, offset), offset);
    entry = node.entry - 1;
  }

  return {
    *seek(node) {
      jump(node);
      while (entry < node.entry) {
        const before = reading.inflated;
        const found = reading.tar.next();
        entry++;
        if (found === undefined) throw changed(source);
        if (entry === node.entry && (found.kind !== 'file' || found.size !== node.size))
          throw changed(source);
        if (reading.inflated !== before) yield;
      }
    },
    *body(node) {
      const { tar } = reading;
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
    close: () => reading.slabs.close(),
  };
}

function inflateFrom(
  { location: { path, offset, size } }: LayerSource,
  { stats: { compression } }: LayerIndex,
  checkpoint: Checkpoint,
  output: number,
): SlabReader {
  const { input } = checkpoint;
  const bytes = openFileRange({ path, offset: offset + input, size: size - input });
  return inflate(bytes, { resume: { compression, checkpoint, output } });
}

function start(slabs: SlabReader, offset: number): Reading {
  const nextSlab = (): Buffer | undefined => {
    const slab = slabs.next();
    reading.inflated += slab?.length ?? 0;
    return slab;
  };
  // The limits held when the tree was read.
  const none = Number.POSITIVE_INFINITY;
  const tar = readTar(nextSlab, { ...layerLimits(), bytes: none, entries: none, ratio: none });
  const reading: Reading = { slabs, tar, inflated: offset };
  return reading;
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
