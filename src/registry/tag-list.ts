// A repository's tags, page by page (distribution-spec, listing tags), as registries really answer.
import { OciError } from '../errors.ts';
import { readText } from './body.ts';
import { type HttpResponse, headerValues } from './http.ts';
import { asRecord, parseJson } from './json.ts';
import { parseNextLink } from './link-header.ts';

/** Asked for in one page; ECR answers an error above 1000. */
export const PAGE_SIZE = 1000;
const MAX_PAGE_BYTES = 16 * 1024 * 1024;
/** More pages than any repository has: a server that always names another one does not keep us for ever. */
const MAX_PAGES = 10_000;

/** All tags, in the registry's order. `get` fetches a page and throws unless it is one. */
export async function* tagPages(
  first: URL,
  get: (url: URL) => Promise<HttpResponse>,
  what: string,
): AsyncGenerator<string, void> {
  let url: URL | undefined = first;
  for (let page = 0; url !== undefined && page < MAX_PAGES; page += 1) {
    const response: HttpResponse = await get(url);
    yield* tagsOf(await readText(response, MAX_PAGE_BYTES, what), what);
    url = nextPage(response, url, what);
  }
}

function* tagsOf(text: string, what: string): Generator<string, void> {
  const body = asRecord(parseJson(text));
  if (body === undefined) throw new OciError('REGISTRY_ERROR', `${what}: the tag list is no JSON`);
  // Nexus writes null for none.
  if (!Array.isArray(body.tags)) return;
  for (const tag of body.tags as unknown[]) {
    // Artifactory lists digests among the tags.
    if (typeof tag === 'string' && !tag.includes(':')) yield tag;
  }
}

function nextPage(response: HttpResponse, current: URL, what: string): URL | undefined {
  const link = parseNextLink(headerValues(response.headers, 'link'));
  if (link === undefined || !URL.canParse(link, current)) return undefined;
  const next = new URL(link, current);
  if (next.origin !== current.origin) {
    // Registries behind a proxy name themselves by an inner address; the path is right all the same.
    const here = new URL(next.pathname + next.search, current);
    return here.href === current.href ? undefined : here;
  }
  if (next.href === current.href)
    throw new OciError('REGISTRY_ERROR', `${what}: the next page of tags is the same page`);
  return next;
}
