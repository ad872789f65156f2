// What refers to a manifest of a repository: by the referrers API, page by page, or by the fallback tag where a registry
// has none (distribution-spec, listing referrers).
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { mediaTypeOf, OCI_INDEX } from '../manifest/media-types.ts';
import { ofArtifactType } from '../manifest/referrer.ts';
import type { ReferrersOptions } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';
import { discard, readBytes } from './body.ts';
import { type HttpResponse, header, headerValues } from './http.ts';
import { nextPage } from './link-header.ts';
import { readReferrersTag } from './referrers-tag.ts';
import type { Session } from './session.ts';

/** Referrers of one image that are listed, at most: none has so many. */
const MOST = 10_000;
const MAX_PAGES = 1000;
/** How registries without the API answer: 404 by the spec, the others in the wild (Artifactory says 403 of what is not there). */
const NO_API = [400, 403, 404, 405, 501];

/** Asks for referrers, and remembers which way the registry has. */
export interface ReferrersReader {
  /** Throws UNAUTHORIZED, RATE_LIMITED, MANIFEST_INVALID, REGISTRY_ERROR and what a request throws. */
  list(subject: Digest, options?: ReferrersOptions): Promise<Descriptor[]>;
  /** True when the registry has the API; undefined while nobody has asked it. */
  readonly hasApi: boolean | undefined;
}

export function createReferrersReader(session: Session): ReferrersReader {
  let hasApi: boolean | undefined;

  /** One page; undefined from a registry without the API. */
  async function ask(path: string, what: string, signal?: AbortSignal): Promise<HttpResponse | undefined> {
    const headers = { accept: OCI_INDEX };
    const response = await session.request({ method: 'GET', path, headers, what, signal });
    // ghcr.io leads to a web page.
    const type = mediaTypeOf(header(response.headers, 'content-type') ?? '');
    if (response.status === 200 && type === OCI_INDEX) return response;
    if (response.status !== 200 && !NO_API.includes(response.status)) {
      throw await session.failure(response, { what, kind: 'manifest' });
    }
    await discard(response);
    return undefined;
  }

  async function list(
    subject: Digest,
    { artifactType, signal }: ReferrersOptions = {},
  ): Promise<Descriptor[]> {
    const what = `${session.registry}/${session.repository}@${subject}`;
    const found: Descriptor[] = [];
    const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
    const seen = new Set<string>();
    let path: string | undefined = hasApi === false ? undefined : `referrers/${subject}${filter}`;
    while (path !== undefined) {
      if (seen.has(path) || seen.size === MAX_PAGES || found.length > MOST) {
        throw new OciError('REGISTRY_ERROR', `${what}: its list of referrers has no end`);
      }
      seen.add(path);
      const response = await ask(path, what, signal);
      if (response === undefined) {
        if (seen.size > 1)
          throw new OciError('REGISTRY_ERROR', `${what}: a page of its referrers is missing`);
        break;
      }
      hasApi = true;
      const document = parseDocument(await readBytes(response, MANIFEST_LIMIT, what));
      const page = document.kind === 'index' ? document.index.manifests : [];
      const isFiltered = headerValues(response.headers, 'oci-filters-applied')
        .flatMap((value) => value.split(','))
        .some((name) => name.trim() === 'artifactType');
      found.push(...(isFiltered ? page : ofArtifactType(page, artifactType)));
      path = nextPage(headerValues(response.headers, 'link'), response.url);
    }
    if (hasApi === true) return found;
    const listed = await readReferrersTag(session, subject, signal);
    hasApi = false;
    return ofArtifactType(listed, artifactType);
  }

  return {
    list,
    get hasApi() {
      return hasApi;
    },
  };
}
