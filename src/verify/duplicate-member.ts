// A settings file that says a thing twice means something else to each tool: which of the two counts is not for us to guess.

/** The first member that stands twice in one object of valid JSON text; undefined when none does. */
export function duplicateMember(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let last: string | undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/gs)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (token !== ':') last = JSON.parse(token) as string;
    else if (last !== undefined) {
      const members = open.at(-1);
      if (members?.has(last)) return last;
      members?.add(last);
    }
  }
  return undefined;
}
