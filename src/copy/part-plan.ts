// Which bytes of one blob are whose, when several connections read it: parts in order, each taken by one flow at a time.
// Knows nothing of connections or files.

/** Bytes that one flow reads, or that wait for one. */
export interface Part {
  /** The next byte to come. */
  at: number;
  /** The byte after its last one. Comes nearer when another flow takes over the rest. */
  to: number;
  /** Asked for up to the blob's end, whatever `to` says later. */
  open: boolean;
  taken: boolean;
}

/** A part that another flow is at, and the end of it that a new flow could have. */
export interface Split {
  victim: Part;
  part: Part;
}

export interface PartPlan {
  /** The next part for a flow: what another one left, else new bytes; all of them with `rest`. Undefined: nothing is left. */
  next(options: { bytes: number; rest: boolean }): Part | undefined;
  /** What to take from the flow that has most left. Nothing has changed before `takeOver`. */
  split(bytes: number): Split | undefined;
  /** False when the victim has got there meanwhile. */
  takeOver(split: Split): boolean;
  /** Gives the part back, for another flow to go on with it. */
  release(part: Part): void;
  /** Bytes from the blob's start that are there without a gap. */
  reach(): number;
}

/** Bytes below which a part is not worth a request. */
export const PART_LEAST = 4 << 20;

/** The plan for a blob of `size` bytes, `first` of which are there. */
export function createPartPlan(first: number, size: number): PartPlan {
  /** In order, without those that are whole and have nothing missing before them. */
  const parts: Part[] = [];
  /** Bytes from here on belong to no part. */
  let frontier = first;

  return {
    next({ bytes, rest }) {
      const left = parts.find((part) => !part.taken && part.at < part.to);
      if (left !== undefined) {
        left.taken = true;
        left.open = rest && left.to === size;
        return left;
      }
      if (frontier === size) return undefined;
      const end = frontier + Math.max(PART_LEAST, Math.floor(bytes));
      const open = rest || size - end < PART_LEAST;
      const part = { at: frontier, to: open ? size : end, open, taken: true };
      frontier = part.to;
      parts.push(part);
      return part;
    },
    split(bytes) {
      const left = (part: Part): number => part.to - part.at;
      const victim = parts.filter(({ taken }) => taken).sort((a, b) => left(b) - left(a))[0];
      if (victim === undefined || left(victim) < 2 * PART_LEAST) return undefined;
      // Of all the rest the next part but one, of a part its second half.
      const isRest = victim.open && victim.to === size;
      const step = Math.floor(
        isRest ? Math.min(left(victim) / 2, Math.max(PART_LEAST, bytes)) : left(victim) / 2,
      );
      const at = victim.at + step;
      const end = isRest && size - (at + step) >= PART_LEAST ? at + step : victim.to;
      return { victim, part: { at, to: end, open: false, taken: true } };
    },
    takeOver({ victim, part }) {
      if (!victim.taken || victim.at > part.at || victim.to < part.to) return false;
      // Only the last part may be left in pieces: what follows belongs to nobody again.
      if (part.to < victim.to) frontier = part.to;
      victim.to = part.at;
      parts.splice(parts.indexOf(victim) + 1, 0, part);
      return true;
    },
    release(part) {
      part.taken = false;
    },
    reach() {
      while (parts[0] !== undefined && parts[0].at >= parts[0].to) parts.shift();
      return parts[0]?.at ?? frontier;
    },
  };
}
