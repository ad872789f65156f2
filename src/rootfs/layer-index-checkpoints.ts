// The checkpoints of one layer while it is read: a bounded number, however large the layer is.
import type { Checkpoint } from '../layer/checkpoints.ts';

/** Of 10 KB each. When there are more, every second one goes: 8 GiB of layer have them all. */
const MOST = 1024;

export interface CheckpointList {
  add(checkpoint: Checkpoint): void;
  list(): readonly Checkpoint[];
}

export function createCheckpointList(most: number = MOST): CheckpointList {
  let kept: Checkpoint[] = [];
  /** One in so many is kept. */
  let stride = 1;
  let seen = 0;
  return {
    add(checkpoint) {
      if (seen++ % stride !== 0) return;
      kept.push(checkpoint);
      if (kept.length <= most) return;
      kept = kept.filter((_, i) => i % 2 === 0);
      stride *= 2;
    },
    list: () => kept,
  };
}
