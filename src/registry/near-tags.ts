// Finds the tags a mistyped one may have meant.

const MAX_SUGGESTIONS = 5;
const MAX_DISTANCE = 2;

/** Up to five tags close to `wanted`: a few edits away, or one the beginning of the other; nearest first. */
export function nearTags(wanted: string, tags: readonly string[]): string[] {
  const near: { tag: string; distance: number }[] = [];
  for (const tag of tags) {
    const distance = distanceTo(wanted, tag);
    if (distance !== undefined) near.push({ tag, distance });
  }
  near.sort((a, b) => a.distance - b.distance || a.tag.length - b.tag.length || (a.tag < b.tag ? -1 : 1));
  return near.slice(0, MAX_SUGGESTIONS).map(({ tag }) => tag);
}

function distanceTo(wanted: string, tag: string): number | undefined {
  const a = wanted.toLowerCase();
  const b = tag.toLowerCase();
  // Short tags are all alike: one edit in `3.1` is plenty.
  const limit = Math.min(MAX_DISTANCE, Math.ceil(a.length / 4));
  const edits = Math.abs(a.length - b.length) > limit ? Number.POSITIVE_INFINITY : editDistance(a, b);
  if (edits <= limit) return edits;
  return a.startsWith(b) || b.startsWith(a) ? MAX_DISTANCE + 1 : undefined;
}

/** Optimal string alignment: insertions, deletions, replacements and swapped neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const current = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replace = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let best = Math.min(previous[j]! + 1, current[j - 1]! + 1, replace);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1);
      }
      current.push(best);
    }
    before = previous;
    previous = current;
  }
  return previous[b.length]!;
}
