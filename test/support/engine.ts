// The engine's own steps (read, merge, place) without its threads: thousands of stacks in the time a pool starts in.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { isOciError } from '../../src/errors.ts';
import { imageCounters } from '../../src/layer/image-share.ts';
import { layerLimits } from '../../src/layer/limits.ts';
import { placeTree } from '../../src/rootfs/place.ts';
import { removeTree } from '../../src/rootfs/private-folder.ts';
import { readLayer } from '../../src/rootfs/read-layer.ts';
import { mergeLayers } from '../../src/rootfs/read-tree.ts';
import { type Seen, snapshot } from './disk-snapshot.ts';
import { writeLayers } from './layers.ts';
import { modelOf } from './model.ts';
import type { Member } from './tar-builder.ts';

/** What the engine makes of the layers, lowest first; undefined when it refused them. Works in `folder`. */
export function engineOutcome(folder: string, layers: Member[][]): Record<string, Seen> | undefined {
  const sources = writeLayers(folder, layers);
  const work = join(folder, 'work');
  mkdirSync(work);
  try {
    const stages = sources.map((_, index) => join(work, String(index)));
    const counters = imageCounters(sources.length);
    const results = sources.map(({ descriptor, location }, index) =>
      readLayer(
        {
          descriptor,
          location,
          diffId: undefined,
          limits: layerLimits(),
          share: { counters, layer: index },
          verifyBlob: true,
          stage: stages[index],
        },
        () => {},
      ),
    );
    placeTree(mergeLayers(sources, results), results, stages, join(work, 'rootfs'));
    return Object.fromEntries(snapshot(join(work, 'rootfs')));
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  } finally {
    removeTree(work);
  }
}

/** What the model makes of them; undefined when they must be refused. */
export function modelOutcome(layers: Member[][]): Record<string, Seen> | undefined {
  try {
    return Object.fromEntries(modelOf(layers));
  } catch (error) {
    // The model's own refusals; anything else is a mistake in the model.
    if (error instanceof Error && error.constructor === Error) return undefined;
    throw error;
  }
}

export function isRefusal(error: unknown): boolean {
  return isOciError(error, 'LAYER_INVALID') || isOciError(error, 'LAYER_REFUSED');
}
