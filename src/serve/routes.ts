// The read-only half of the distribution-spec: pull and content discovery.
import type { IncomingMessage } from 'node:http';
import { sizeOf } from '../blobstore/blob-files.ts';
import { blobPath, storePaths } from '../blobstore/paths.ts';
import type { BlobStore } from '../blobstore/store.ts';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { type Answer, errorAnswer, jsonAnswer } from './answer.ts';
import { type Catalog, REPOSITORY, type Tags, watchCatalog } from './catalog.ts';
import { parseRange } from './range.ts';

/** Entries of a list when the client names no number, and at most. */
const PAGE = 1000;

const ROUTE = /^\/v2\/(.+)\/(?:tags\/(list)|(manifests|blobs)\/([^/]+)|blobs\/(uploads)\/.*)$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Answers requests about the store. */
export function createRouter(store: BlobStore): (request: IncomingMessage) => Promise<Answer> {
  const catalog = watchCatalog(store);

  return async (request) => {
    const url = parseUrl(request.url);
    if (url === undefined) return errorAnswer(400, 'NAME_INVALID', 'not a path');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const refusal = errorAnswer(405, 'UNSUPPORTED', 'this registry serves a local store and is read-only');
      return { ...refusal, headers: { ...refusal.headers, allow: 'GET, HEAD' } };
    }
    if (url.path === '/v2' || url.path === '/v2/') return jsonAnswer({});
    if (url.path === '/v2/_catalog') return answerCatalog(await catalog(), url.query);
    const [, name, list, kind, reference, uploads] = ROUTE.exec(url.path) ?? [];
    if (name === undefined || uploads !== undefined)
      return errorAnswer(404, 'UNSUPPORTED', 'no such endpoint');
    if (!REPOSITORY.test(name)) return errorAnswer(400, 'NAME_INVALID', 'not a repository name');
    const tags = (await catalog()).find(name);
    if (tags === undefined) return errorAnswer(404, 'NAME_UNKNOWN', `no repository ${name} in the store`);
    if (list !== undefined) return answerTags(name, tags, url.query);
    return kind === 'manifests'
      ? answerManifest(store, request, tags, reference ?? '')
      : answerBlob(store, request, reference ?? '');
  };
}

function answerCatalog(catalog: Catalog, query: URLSearchParams): Answer {
  return page('/v2/_catalog', catalog.names, query, (repositories) => ({ repositories }));
}

function answerTags(name: string, tags: Tags, query: URLSearchParams): Answer {
  return page(`/v2/${name}/tags/list`, [...tags.keys()].sort(), query, (some) => ({ name, tags: some }));
}

async function answerManifest(
  store: BlobStore,
  request: IncomingMessage,
  tags: Tags,
  reference: string,
): Promise<Answer> {
  if (reference.includes(':') && !isDigest(reference))
    return errorAnswer(400, 'DIGEST_INVALID', 'not a digest');
  const descriptor = isDigest(reference) ? await byDigest(store, tags, reference) : tags.get(reference);
  if (descriptor === undefined || !(isDigest(reference) || TAG.test(reference))) {
    return errorAnswer(404, 'MANIFEST_UNKNOWN', `no manifest ${reference.slice(0, 150)} in this repository`);
  }
  if (!(await store.has(descriptor))) {
    return errorAnswer(404, 'MANIFEST_UNKNOWN', `${descriptor.digest} is not in the store any more`);
  }
  return answerContent(store, request, descriptor);
}

async function answerBlob(store: BlobStore, request: IncomingMessage, digest: string): Promise<Answer> {
  if (!isDigest(digest)) return errorAnswer(400, 'DIGEST_INVALID', 'not a digest');
  const size = sizeOf(blobPath(storePaths(store.dir), digest));
  const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest, size };
  if (!(await store.has(descriptor)))
    return errorAnswer(404, 'BLOB_UNKNOWN', `no blob ${digest} in the store`);
  return answerContent(store, request, descriptor);
}

async function answerContent(
  store: BlobStore,
  request: IncomingMessage,
  descriptor: Descriptor,
): Promise<Answer> {
  const { digest, size, mediaType } = descriptor;
  const etag = `"${digest}"`;
  const headers = {
    'content-type': mediaType,
    'docker-content-digest': digest,
    'accept-ranges': 'bytes',
    etag,
  };
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag)) return { status: 304, headers };
  const location = await store.locate(descriptor);
  const condition = request.headers['if-range'];
  const wanted = request.method === 'GET' && (condition === undefined || condition === etag);
  const range = wanted ? parseRange(request.headers.range, size) : 'whole';
  if (range === 'whole')
    return { status: 200, headers: { ...headers, 'content-length': size }, body: location };
  if (range === 'unsatisfiable') {
    const refusal = errorAnswer(416, 'UNSUPPORTED', `the content has ${size} bytes`);
    return { ...refusal, headers: { ...refusal.headers, 'content-range': `bytes */${size}` } };
  }
  const length = range.last - range.first + 1;
  return {
    status: 206,
    headers: {
      ...headers,
      'content-length': length,
      'content-range': `bytes ${range.first}-${range.last}/${size}`,
    },
    body: { path: location.path, offset: location.offset + range.first, size: length },
  };
}

/** Content is addressed by its digest: a platform's manifest is found though only its index has a tag. */
async function byDigest(store: BlobStore, tags: Tags, digest: Digest): Promise<Descriptor | undefined> {
  for (const descriptor of tags.values()) if (descriptor.digest === digest) return descriptor;
  try {
    return await store.resolve({ registry: 'docker.io', repository: 'library/any', digest });
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** One page of a sorted list; `Link` leads to the next (distribution-spec, listing tags). */
function page(
  path: string,
  all: string[],
  query: URLSearchParams,
  shape: (some: string[]) => Record<string, unknown>,
): Answer {
  const asked = query.get('n');
  if (asked !== null && !/^\d{1,9}$/.test(asked)) {
    return errorAnswer(400, 'PAGINATION_NUMBER_INVALID', 'n is not a number');
  }
  const length = Math.min(asked === null ? PAGE : Number(asked), PAGE);
  const last = query.get('last');
  const rest = last === null ? all : all.filter((name) => name > last);
  const some = rest.slice(0, length);
  const answer = jsonAnswer(shape(some));
  const end = some.at(-1);
  if (end === undefined || some.length === rest.length) return answer;
  const next = `${path}?n=${length}&last=${encodeURIComponent(end)}`;
  return { ...answer, headers: { ...answer.headers, link: `<${next}>; rel="next"` } };
}

/** The path with its percent-encoding undone (some clients write `sha256%3A…`); undefined when it cannot be. */
function parseUrl(text: string | undefined): { path: string; query: URLSearchParams } | undefined {
  const [path = '', query = ''] = (text ?? '').split('?', 2);
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(query) };
  } catch {
    return undefined;
  }
}
