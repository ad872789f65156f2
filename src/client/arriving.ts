// An image that is copied from its registry into the store while its layers are read.

import { watchArrivals } from '../copy/arrivals.ts';
import { createCopier } from '../copy/copier.ts';
import { isOciError } from '../errors.ts';
import { keepDocuments } from '../place/keep-documents.ts';
import type { LayerSource } from '../rootfs/layer-source.ts';
import type { Client } from './client.ts';
import type { OpenedImage } from './open-image.ts';
import type { OpenedSource } from './open-source.ts';

/** The same image, each of its documents asked for once: now, or when it is copied, or never if the store has it. */
export async function withDocumentsKept(client: Client, remote: OpenedSource): Promise<OpenedSource> {
  const { source, reference, root: known } = remote;
  const store = await client.store();
  // A HEAD may be wrong about the size: only what the store has under that size needs no second question.
  const root =
    reference === undefined || (await store.has(known))
      ? known
      : await source.resolve(reference, { signal: client.signal });
  return { ...remote, root, source: keepDocuments(source, root, store) };
}

/** Layers that are on their way. */
export interface ArrivingLayers {
  /** Lowest first. */
  layers: LayerSource[];
  /** Waits for the end of the copy, or stops it when layers are still missing. Throws what the copy failed with. */
  close(): Promise<void>;
}

/** Starts copying the image into the client's store. */
export async function startCopy(client: Client, opened: OpenedImage): Promise<ArrivingLayers> {
  const { source, reference, manifest, config } = opened;
  if (reference === undefined) throw new Error(`${opened.name}: an image of a registry was expected`);
  const store = await client.store();
  const platform = await client.platform();
  const arrivals = watchArrivals(store, manifest.layers);
  const layers = manifest.layers.map((descriptor, i) => ({
    descriptor,
    location: store.locationOf(descriptor),
    diffId: config.rootfs.diff_ids[i],
    arrival: arrivals.of(descriptor),
  }));
  let missing = true;
  Promise.all(layers.map(({ arrival }) => arrival.arrived)).then(
    () => (missing = false),
    () => {},
  );

  const stop = new AbortController();
  const signal = client.signal === undefined ? stop.signal : AbortSignal.any([client.signal, stop.signal]);
  const { onProgress } = client;
  const copying = createCopier(arrivals.target, { signal, onProgress }).copy(source, reference, { platform });
  copying.catch(arrivals.fail);
  return {
    layers,
    async close() {
      if (missing) stop.abort();
      try {
        await copying;
      } catch (error) {
        // Whoever stops reading has a reason of their own to tell.
        if (!(stop.signal.aborted && isOciError(error, 'ABORTED'))) throw error;
      } finally {
        arrivals.close();
      }
    },
  };
}
