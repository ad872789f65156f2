// How well an image uses its bytes, as a figure that can be held against dive's: the least each path ever weighed, over
// all that was written to it in any layer. The rules, odd ones included, are those of dive's filetree/efficiency.go:
// names are taken as written, symlinks are not followed; only leaves count, so a directory does where it is empty; a
// whiteout of a file weighs nothing and so takes the file's best weight down to nothing; a whiteout of a directory that
// some layer declared weighs what the directory held, under the directory's own path.
// Where dive stops reading a layer, at a whiteout of what is not there, this goes on.
import { type EntryLog, KINDS, pathsOf } from './entry-log.ts';

/** A name in one layer, or in several laid over each other. */
interface Name {
  size: number;
  /** Declared as one: a directory that only other names imply is not. */
  isDirectory: boolean;
  children: Map<string, Name>;
}

/** What was written to one path. */
interface Weight {
  least: number;
  sum: number;
}

const WHITEOUT = '.wh.';
/** The opaque marker and AUFS's own names: they only imply the directory they are in. */
const META = '.wh..wh.';

/** The efficiency of the layers, lowest first: 1 when nothing was written twice or deleted. */
export function efficiencyOf(logs: readonly EntryLog[]): number {
  const weights = new Map<string, Weight>();
  const below = blank();
  for (const log of logs) {
    const layer = namesOf(log);
    weigh(layer, below, '', weights);
    layOver(layer, below);
  }
  let least = 0;
  let sum = 0;
  for (const weight of weights.values()) {
    least += weight.least;
    sum += weight.sum;
  }
  return sum === 0 ? 1 : least / sum;
}

function blank(): Name {
  return { size: 0, isDirectory: false, children: new Map() };
}

function namesOf(log: EntryLog): Name {
  const { count, kinds, sizes } = log;
  const root = blank();
  const pathOf = pathsOf(log);
  for (let entry = 0; entry < count; entry++) {
    const path = pathOf(entry);
    if (path === '' || path.startsWith(META)) continue;
    const meta = path.indexOf(`/${META}`);
    const name = enter(root, meta === -1 ? path : path.slice(0, meta));
    if (meta !== -1) continue;
    const kind = KINDS[kinds[entry] as number];
    name.size = kind === 'file' ? (sizes[entry] as number) : 0;
    name.isDirectory = kind === 'directory';
  }
  return root;
}

/** The name at `path`, made with its parents where they are missing. */
function enter(root: Name, path: string): Name {
  let at = root;
  for (const part of path.split('/')) {
    let next = at.children.get(part);
    if (next === undefined) {
      next = blank();
      at.children.set(part, next);
    }
    at = next;
  }
  return at;
}

/** Adds the leaves of a layer to `weights`; `below` is what the layers under it come to at the same place. */
function weigh(layer: Name, below: Name | undefined, path: string, weights: Map<string, Weight>): void {
  for (const [name, child] of layer.children) {
    const isWhiteout = name.startsWith(WHITEOUT);
    const shown = isWhiteout ? name.slice(WHITEOUT.length) : name;
    const there = below?.children.get(shown);
    if (child.children.size > 0) weigh(child, there, `${path}/${name}`, weights);
    else {
      const size = isWhiteout ? (there?.isDirectory ? total(there) : 0) : child.size;
      const weight = weights.get(`${path}/${shown}`);
      if (weight === undefined) weights.set(`${path}/${shown}`, { least: size, sum: size });
      else {
        weight.least = Math.min(weight.least, size);
        weight.sum += size;
      }
    }
  }
}

function total(name: Name): number {
  let sum = name.size;
  for (const child of name.children.values()) sum += total(child);
  return sum;
}

/** Lays a layer over what is below it, which becomes what both come to. */
function layOver(layer: Name, below: Name): void {
  for (const name of layer.children.keys()) {
    if (name.startsWith(WHITEOUT)) below.children.delete(name.slice(WHITEOUT.length));
  }
  for (const [name, child] of layer.children) {
    if (name.startsWith(WHITEOUT)) continue;
    const there = below.children.get(name) ?? blank();
    below.children.set(name, there);
    there.size = child.size;
    there.isDirectory = child.isDirectory;
    layOver(child, there);
  }
}
