// Chain IDs: the identity of a stack of layers, as snapshotters name it (image-spec config.md#layer-chainid).
import { type Digest, digestOf } from '../reference/digest.ts';

/** For each layer the ID of the stack up to it. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
