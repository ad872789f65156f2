// Which tags somebody may have meant who asked for one that is not there.

/** At most this many are worth reading. */
const SUGGESTIONS = 5;

/** The tags closest to `wanted`, best first: few letters away, or going on where it ends. */
export function nearTags(wanted: string, tags: readonly string[]): string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  return tags
    .map((tag) => ({
      tag,
      distance: tag.startsWith(wanted) || wanted.startsWith(tag) ? 1 : distance(wanted, tag),
    }))
    .filter((candidate) => candidate.distance <= limit)
    .sort((a, b) => a.distance - b.distance || a.tag.length - b.tag.length || (a.tag < b.tag ? -1 : 1))
    .slice(0, SUGGESTIONS)
    .map(({ tag }) => tag);
}

/** Levenshtein's distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
