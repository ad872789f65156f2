// Lists a repository's tags page by page (distribution spec, listing tags).
import { OciError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { isTag } from '../reference/grammar.ts';
import { readText } from './body.ts';
import { headerValues } from './http.ts';
import { asRecord } from './json.ts';
import { nextPage } from './link-header.ts';
import type { Session } from './session.ts';

export interface TagsOptions {
  /** Page size to ask for; at most 1000 is asked for, as ECR refuses more. Default: the registry's own. */
  n?: number | undefined;
  signal?: AbortSignal | undefined;
}

const MAX_PAGE_BYTES = 32 << 20;
const MAX_PAGES = 10_000;
const MAX_N = 1000;
/** Artifactory lists manifests by digest among the tags. */
const DIGEST_AS_TAG = /^sha256(?::|__)[a-f0-9]{64}$/;

/**
 * The tags in the registry's order; stop reading to stop asking.
 * Throws IMAGE_NOT_FOUND, UNAUTHORIZED, DENIED, REGISTRY_ERROR and what a request throws.
 */
export async function* listTags(session: Session, options: TagsOptions = {}): AsyncGenerator<string, void> {
  const what = `${session.registry}/${session.repository}`;
  const seen = new Set<string>();
  let path: string | undefined =
    options.n === undefined ? 'tags/list' : `tags/list?n=${Math.min(options.n, MAX_N)}`;
  while (path !== undefined) {
    if (seen.has(path) || seen.size === MAX_PAGES) {
      throw new OciError('REGISTRY_ERROR', `${what}: its list of tags has no end`);
    }
    seen.add(path);
    const response = await session.request({ method: 'GET', path, what, signal: options.signal });
    if (response.status !== 200) throw await session.failure(response, { what, kind: 'tags' });
    yield* parsePage(await readText(response, MAX_PAGE_BYTES, what), what);
    path = nextPage(headerValues(response.headers, 'link'), response.url);
  }
}

function parsePage(text: string, what: string): string[] {
  const page = asRecord(parseJson(text));
  if (page === undefined) throw new OciError('REGISTRY_ERROR', `${what}: its list of tags is no JSON object`);
  // `tags: null` is Nexus's empty list.
  const tags: unknown[] = Array.isArray(page.tags) ? page.tags : [];
  return tags.filter(
    (tag): tag is string => typeof tag === 'string' && isTag(tag) && !DIGEST_AS_TAG.test(tag),
  );
}
