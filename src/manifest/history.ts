// Which instruction made which layer: the config's history without its empty steps, joined to the layers.
import type { HistoryEntry, ImageConfig } from './config.ts';
import type { ImageManifest } from './document.ts';

/** A layer's place in the build. */
export interface LayerHistory {
  /** The Dockerfile instruction as far as it can be told; undefined when history does not say. */
  instruction: string | undefined;
  created: string | undefined;
}

/** One entry per layer, lowest first; empty ones where history is absent or does not fit the layers. */
export function layerHistory(manifest: ImageManifest, config: ImageConfig): LayerHistory[] {
  const steps = config.history.filter((entry) => entry.empty_layer !== true);
  const fits = steps.length === manifest.layers.length;
  return manifest.layers.map((_, i) => {
    const step: HistoryEntry | undefined = fits ? steps[i] : undefined;
    const text = step?.created_by ?? step?.comment;
    return {
      instruction: text === undefined || text === '' ? undefined : cleanInstruction(text),
      created: step?.created,
    };
  });
}

/** What the Dockerfile said: `/bin/sh -c #(nop)  CMD ["sh"]` is `CMD ["sh"]`, `/bin/sh -c apk add` is `RUN apk add`. */
export function cleanInstruction(createdBy: string): string {
  const text = createdBy
    .replace(/\s+# buildkit$/, '')
    .replace(/\s+/g, ' ')
    .trim();
  const nop = /^\/bin\/sh -c #\(nop\) ?(.*)$/.exec(text);
  if (nop?.[1] !== undefined) return nop[1].trim();
  // Classic builds put the build arguments in front: `|1 VERSION=2 /bin/sh -c …`.
  const shell = /^(?:\|\d+ .*?)?(?:RUN )?\/bin\/sh -c (.*)$/.exec(text);
  return shell?.[1] === undefined ? text : `RUN ${shell[1].trim()}`;
}
