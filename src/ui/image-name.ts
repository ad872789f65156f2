// A stored name in two columns, as docker shows it. No parsing here: it is the start-up path of `images`.

/** `docker.io/library/alpine:3.20` as `alpine` and `3.20`. */
export function splitName(name: string | undefined): { repository: string; tag: string } {
  if (name === undefined) return { repository: '<none>', tag: '<none>' };
  const [tagged = name, digest] = name.split('@', 2);
  const colon = tagged.lastIndexOf(':');
  const hasTag = colon > tagged.lastIndexOf('/');
  const repository = (hasTag ? tagged.slice(0, colon) : tagged).replace(/^docker\.io\/(?:library\/)?/, '');
  return { repository, tag: hasTag ? tagged.slice(colon + 1) : digest === undefined ? '' : '<digest>' };
}
