// Chain IDs name a stack of layers by what it unpacks to (image-spec config.md, layer ChainID).
import { type Digest, digestOf } from '../reference/digest.ts';

/** For each layer, lowest first, the chain ID of it and all below it. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chain;
}
