// Which build step made which layer: history lists every step, layers only those that changed files.
import type { HistoryEntry, ImageConfig } from './config.ts';
import type { ImageManifest } from './document.ts';

/** The step that made one layer. */
export interface LayerHistory {
  /** As a Dockerfile has it; undefined when history does not tell. */
  instruction: string | undefined;
  /** RFC 3339 */
  created: string | undefined;
}

/**
 * For each layer, lowest first, the step that made it. Where history does not have exactly one step for each layer
 * (squashed and imported images), nothing is guessed.
 */
export function layerHistory(manifest: ImageManifest, config: ImageConfig): LayerHistory[] {
  const steps = config.history.filter((step) => step.empty_layer !== true);
  const told: HistoryEntry[] = steps.length === manifest.layers.length ? steps : [];
  return manifest.layers.map((_, i) => {
    // An imported layer has only a comment: `Imported from -`.
    const text = told[i]?.created_by || told[i]?.comment;
    return { instruction: text ? cleanInstruction(text) : undefined, created: told[i]?.created };
  });
}

/**
 * `created_by` as its author wrote it in the Dockerfile, on one line: docker's classic builder wraps every step in a shell
 * (`/bin/sh -c #(nop)  CMD ["sh"]`), BuildKit appends a comment (`RUN /bin/sh -c apk add # buildkit`), and both put the
 * build arguments before a step (`|1 VERSION=3 /bin/sh -c make`).
 */
export function cleanInstruction(createdBy: string): string {
  const line = createdBy
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/ # buildkit$/, '');
  const [, run, rest = ''] = /^(RUN )?(?:\|\d+ )?(.*)$/.exec(line) ?? [];
  const shell = /^(.*?)(?:\/bin\/sh -c|\/bin\/bash (?:-o pipefail )?-[a-z]*c|cmd \/S \/C) (.*)$/.exec(rest);
  // Before the shell stand build arguments, NAME=value each; with anything else there, the shell is part of the command.
  const command = shell !== null && /^(?:\w+=.*)?$/.test(shell[1]!) ? shell[2]! : undefined;
  if (command === undefined) return run === undefined ? line : run + rest;
  const nop = /^#\(nop\) ?(.*)$/.exec(command)?.[1];
  return nop === undefined ? `RUN ${command}` : nop.trim();
}
