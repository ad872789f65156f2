// Why: which layer and instruction put a path where it is, what it replaced, and who deleted it.
import { layerHistory } from '../manifest/history.ts';
import type { Digest } from '../reference/digest.ts';
import { type TraceStep, tracePath } from '../rootfs/trace.ts';
import type { Client } from './client.ts';
import { openLayers, rememberLayers } from './open-layers.ts';

/** One layer's part in a path's history. */
export interface WhyStep extends Omit<TraceStep, 'layer'> {
  /** Position of the layer, lowest is 1. */
  layer: number;
  digest: Digest;
  instruction: string | undefined;
}

/** A path's history, oldest first. */
export interface WhyAnswer {
  name: string;
  /** With the symlinks of its parents followed. */
  path: string;
  steps: WhyStep[];
}

/** Explains `path` of an image. Throws PATH_NOT_FOUND, and as `unpack` does. */
export async function why(client: Client, image: string, path: string): Promise<WhyAnswer> {
  const opened = await openLayers(client, image);
  try {
    const trace = await tracePath(opened.layers, path, {
      signal: client.signal,
      verifyBlob: opened.unverified,
      limits: client.limits,
    });
    await rememberLayers(client, opened, trace.layers);
    const history = layerHistory(opened.manifest, opened.config);
    const steps = trace.steps.map(({ layer, ...step }): WhyStep => {
      const source = opened.layers[layer]!;
      return {
        layer: layer + 1,
        digest: source.descriptor.digest,
        instruction: history[layer]?.instruction,
        ...step,
      };
    });
    return { name: opened.name, path: trace.path, steps };
  } finally {
    await opened.close();
  }
}
