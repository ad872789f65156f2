// Packages with a line of theirs replaced, while they are bundled.
import { readFileSync } from 'node:fs';

/** Replaces `from` wherever it stands in `file`, a path below the package's `lib`. */
export interface Patch {
  file: string;
  from: string;
  to: string;
}

/** The source of the module at `path`, with those of the patches that are for it. Throws when one no longer fits. */
export function readPatched(path: string, patches: readonly Patch[]): string {
  let text = readFileSync(path, 'utf8');
  for (const { from, to } of patches.filter(({ file }) => path.endsWith(`/lib/${file}`))) {
    if (!text.includes(from)) throw new Error(`${path} is not as it was: look at PATCHES`);
    text = text.replaceAll(from, to);
  }
  return text;
}
