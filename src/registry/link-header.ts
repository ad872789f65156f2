// Finds the next page in `Link` headers (RFC 8288), as tag lists use them.

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
