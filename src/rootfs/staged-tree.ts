// Which directories each layer has staged, and how many of the files below a directory of the tree each layer holds
// at their own path: what the choice of a base hangs on.
import type { TreeNode } from './tree.ts';

/** Staged directories below one, by name. */
export interface StagedDirectory extends Map<string, StagedDirectory> {}

/** Files at home below a directory, by layer. */
export type HomeCounts = Int32Array;

/** The tree of the directories whose clean paths `paths` joins by NUL, parents first. */
export function stagedTree(paths: string): StagedDirectory {
  const root: StagedDirectory = new Map();
  if (paths === '') return root;
  const byPath = new Map<string, StagedDirectory>([['', root]]);
  for (const path of paths.split('\0')) {
    const slash = path.lastIndexOf('/');
    const directory: StagedDirectory = new Map();
    byPath.get(slash === -1 ? '' : path.slice(0, slash))?.set(path.slice(slash + 1), directory);
    byPath.set(path, directory);
  }
  return root;
}

/** For every directory of the tree, how many files below it `isAtHome`, by layer. */
export function countByLayer(
  root: TreeNode,
  layers: number,
  isAtHome: (node: TreeNode) => boolean,
): Map<TreeNode, HomeCounts> {
  const counts = new Map<TreeNode, HomeCounts>();
  const count = (directory: TreeNode): HomeCounts => {
    const own = new Int32Array(layers);
    for (const child of directory.children?.values() ?? []) {
      if (child.kind === 'directory') {
        const below = count(child);
        for (let layer = 0; layer < layers; layer++)
          own[layer] = (own[layer] as number) + (below[layer] as number);
      } else if (child.kind === 'file' && isAtHome(child))
        own[child.layer] = (own[child.layer] as number) + 1;
    }
    counts.set(directory, own);
    return own;
  };
  count(root);
  return counts;
}
