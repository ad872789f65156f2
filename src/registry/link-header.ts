// Finds the next page in `Link` headers (RFC 8288), as lists of tags and of referrers use them.

const LINK = /<([^>]*)>((?:\s*;\s*[\w*-]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))?)*)/g;
const NEXT = /;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i;

/** The target of the link with `rel=next`, relative or absolute; undefined on the last page. */
export function parseNextLink(headers: readonly string[]): string | undefined {
  for (const header of headers) {
    for (const [, target, params] of header.matchAll(LINK)) {
      if (NEXT.test(params ?? '')) return target;
    }
  }
  return undefined;
}

/**
 * The next page's path and query, always of this registry: one behind a proxy may name itself by an inner address, and
 * credentials go nowhere else.
 */
export function nextPage(links: readonly string[], current: URL): string | undefined {
  const link = parseNextLink(links);
  if (link === undefined || !URL.canParse(link, current)) return undefined;
  const { pathname, search } = new URL(link, current);
  return pathname + search;
}
