// The name somebody probably meant, for the hint of a path that is not there.

/** The one of `names` nearest to `wanted`: equal but for case, or two letters off at most; undefined when none is. */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const limit = Math.min(2, Math.floor(wanted.length / 2));
  let nearest: string | undefined;
  let least = limit + 1;
  for (const name of names) {
    if (name.toLowerCase() === wanted.toLowerCase()) return name;
    if (Math.abs(name.length - wanted.length) >= least) continue;
    const distance = editDistance(wanted, name);
    if (distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** Letters to insert, delete or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] as number) + 1, (row[j - 1] as number) + 1));
    }
    previous = row;
  }
  return previous[b.length] as number;
}
