// Why an entry of a layer cannot be: the errors, with its path as text that is safe to show.
import { OciError } from '../errors.ts';
import { isAufsMetadata } from '../layer/whiteout.ts';
import { textOf } from './tree.ts';

/** A byte string for people, in quotes, cut when it is long. */
export function quoted(path: string): string {
  const text = textOf(path);
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

export function refused(what: string, path: string): OciError {
  return new OciError('LAYER_REFUSED', `the layer's entry ${quoted(path)} ${what}`);
}

export function invalid(what: string, path: string): OciError {
  return new OciError('LAYER_INVALID', `the layer's entry ${quoted(path)} ${what}`);
}

/** A whiteout takes a name away; it cannot be a directory that has names as well. */
export function refuseWhiteoutParents(parent: string, path: () => string): void {
  if (!parent.includes('.wh.')) return;
  for (const name of parent.split('/')) {
    if (name.startsWith('.wh.') && !isAufsMetadata(name)) throw refused('lies inside a whiteout', path());
  }
}
