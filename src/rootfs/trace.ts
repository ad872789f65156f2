// Which layers made a path what it is: the tree is built layer by layer, and the path is looked at after each.
import { isOciError, OciError } from '../errors.ts';
import type { LayerSource, LayerStats, ReadLayersOptions } from './layer-source.ts';
import { lookUp } from './look.ts';
import { mergeLayers, readLogs } from './read-tree.ts';
import { inodeOf, type NodeKind, type Tree, type TreeNode, textOf } from './tree.ts';

/** What one layer did to a path. */
export interface TraceStep {
  /** Index of the layer, lowest is 0. */
  layer: number;
  change: 'added' | 'replaced' | 'changed' | 'deleted';
  /** What is there afterwards; for `deleted`, what was there before. */
  kind: NodeKind;
  /** Bytes of a file. */
  size: number;
  /** Target of a symlink, text. */
  target: string | undefined;
}

export interface Trace {
  /** Where the path leads with its parents' symlinks followed, absolute. */
  path: string;
  steps: TraceStep[];
  layers: LayerStats[];
}

/** What is compared between two layers: a node is written over in place. */
type Glimpse = Pick<TraceStep, 'kind' | 'size' | 'target'> & { path: string; layer: number; entry: number };

/** The history of `path`, its last symlink not followed. Throws PATH_NOT_FOUND when no layer ever had it, and as `readTree`. */
export async function tracePath(
  sources: readonly LayerSource[],
  path: string,
  options: ReadLayersOptions = {},
): Promise<Trace> {
  const results = await readLogs(sources, options);
  const steps: TraceStep[] = [];
  let before: Glimpse | undefined;
  let resolved = path;
  const tree = mergeLayers(sources, results, (current, layer) => {
    const after = glimpse(current, path);
    const change = changeBetween(before, after, layer);
    const seen = after ?? before;
    if (change !== undefined && seen !== undefined) {
      const { kind, size, target } = seen;
      steps.push({ layer, change, kind, size, target });
    }
    resolved = after?.path ?? resolved;
    before = after;
  });
  // Says what comes close, when the path was never there.
  if (steps.length === 0) lookUp(tree, path, { noFollow: true });
  if (steps.length === 0) throw new OciError('PATH_NOT_FOUND', `${path}: no layer declares it`);
  return { path: resolved, steps, layers: results.map(({ stats }) => stats) };
}

function glimpse(tree: Tree, path: string): Glimpse | undefined {
  let found: { path: string; node: TreeNode };
  try {
    found = lookUp(tree, path, { noFollow: true });
  } catch (error) {
    if (isOciError(error, 'PATH_NOT_FOUND')) return undefined;
    throw error;
  }
  const { node } = found;
  const { kind, size, target } = inodeOf(node);
  return {
    path: found.path,
    kind,
    size,
    target: kind === 'symlink' ? textOf(target) : undefined,
    layer: node.layer,
    entry: node.entry,
  };
}

function changeBetween(
  before: Glimpse | undefined,
  after: Glimpse | undefined,
  layer: number,
): TraceStep['change'] | undefined {
  if (after === undefined) return before === undefined ? undefined : 'deleted';
  if (before === undefined) return 'added';
  if (after.layer !== layer) return undefined;
  // A directory described again keeps its children; everything else is another thing by the same name.
  return before.kind === 'directory' && after.kind === 'directory' ? 'changed' : 'replaced';
}
