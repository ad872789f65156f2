// The distribution-spec's endpoints: which request is answered by what.
import type { IncomingMessage } from 'node:http';
import { sizeOf } from '../blobstore/blob-files.ts';
import { blobPath, storePaths } from '../blobstore/paths.ts';
import { isRemoved, isServed } from '../blobstore/served.ts';
import type { BlobStore } from '../blobstore/store.ts';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { OCI_INDEX } from '../manifest/media-types.ts';
import { type Digest, isDigest } from '../reference/digest.ts';
import { isTag } from '../reference/grammar.ts';
import { isRegistry } from '../reference/registry-host.ts';
import { type Answer, errorAnswer, jsonAnswer, Refusal } from './answer.ts';
import { REPOSITORY, type Tags, watchCatalog } from './catalog.ts';
import { answerContent } from './content.ts';
import { storeRepository } from './names.ts';
import { page } from './page.ts';
import { createThrough } from './through.ts';
import { type Upstream, warningHeader } from './upstream.ts';
import { createWrites } from './writes.ts';

const ROUTE =
  /^\/v2\/(?<name>.+)\/(?:(?<list>tags\/list)|blobs\/uploads\/(?<upload>[^/]*)|(?<kind>manifests|blobs|referrers)\/(?<reference>[^/]+))$/;

/** A request's way through the router. */
interface Asked {
  request: IncomingMessage;
  /** HEAD counts as GET. */
  method: string;
  query: URLSearchParams;
  name: string;
  /** Undefined for a repository without names. */
  tags: Tags | undefined;
  reference: string;
}

export interface Router {
  /** The answer; failures are answers too. */
  route(request: IncomingMessage): Promise<Answer>;
  /** Drops uploads that are not finished. */
  close(): void;
}

export interface RouterOptions {
  readOnly?: boolean | undefined;
  /** Asked for what the store lacks; makes the server read-only. */
  upstream?: Upstream | undefined;
}

/** Answers requests about the store. */
export function createRouter(store: BlobStore, options: RouterOptions = {}): Router {
  const { upstream } = options;
  const catalog = watchCatalog(store);
  const writes = options.readOnly === true || upstream !== undefined ? undefined : createWrites(store);
  const paths = storePaths(store.dir);
  const through = upstream && createThrough(store, upstream);

  async function route(request: IncomingMessage): Promise<Answer> {
    const url = parseUrl(request.url);
    if (url === undefined) return errorAnswer(400, 'NAME_INVALID', 'not a path');
    const { path, query } = url;
    const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
    if (method !== 'GET') {
      if (writes === undefined) return notAllowed('GET, HEAD', 'this registry is read-only');
      // A web page can make a browser send these: no registry client sends an Origin.
      if (request.headers.origin !== undefined) return errorAnswer(403, 'DENIED', 'not for web pages');
    }
    if (method === 'GET' && (path === '/v2' || path === '/v2/')) return jsonAnswer({});
    if (method === 'GET' && path === '/v2/_catalog') {
      return page(path, (await catalog()).names, query, (repositories) => ({ repositories }));
    }
    const { name: asPath, list, upload, kind, reference = '' } = ROUTE.exec(path)?.groups ?? {};
    if (asPath === undefined) return errorAnswer(404, 'UNSUPPORTED', 'no such endpoint');
    // containerd says to a mirror which registry it means.
    const namespace = method === 'GET' ? query.get('ns') : null;
    const name = namespace === null ? asPath : `${namespace}/${asPath}`;
    if (namespace !== null && !isRegistry(namespace))
      return errorAnswer(400, 'NAME_INVALID', 'ns is no registry');
    if (!REPOSITORY.test(asPath)) return errorAnswer(400, 'NAME_INVALID', 'not a repository name');
    if (upload !== undefined) return await uploadEndpoint(name, upload, method, query, request);
    const tags = (await catalog()).find(name);
    const asked: Asked = { request, method, query, name, tags, reference };
    if (list !== undefined) return await tagsEndpoint(asked);
    if (kind === 'referrers') return await referrersEndpoint(asked);
    return kind === 'manifests' ? await manifestEndpoint(asked) : await blobEndpoint(asked);
  }

  async function uploadEndpoint(
    name: string,
    id: string,
    method: string,
    query: URLSearchParams,
    request: IncomingMessage,
  ): Promise<Answer> {
    if (writes === undefined) return errorAnswer(404, 'UNSUPPORTED', 'no such endpoint');
    const { uploads } = writes;
    if (id === '') {
      return method === 'POST'
        ? writes.begin(name, query, request)
        : notAllowed('POST', 'only POST begins an upload');
    }
    switch (method) {
      case 'GET':
        return uploads.status(name, id);
      case 'PATCH':
        return uploads.append(name, id, request);
      case 'PUT':
        return uploads.finish(name, id, query.get('digest'), request);
      case 'DELETE':
        return uploads.cancel(name, id);
      default:
        return notAllowed('GET, PATCH, PUT, DELETE', 'not a method of uploads');
    }
  }

  async function tagsEndpoint({ method, name, tags, query }: Asked): Promise<Answer> {
    if (method !== 'GET') return notAllowed('GET, HEAD', 'the list of tags follows the manifests');
    const known = await through?.tags(name);
    if (known === undefined && tags === undefined && !isServed(paths, storeRepository(name))) {
      return unknownName(name);
    }
    const all = [...(known?.tags ?? tags?.keys() ?? [])];
    const answer = page(`/v2/${name}/tags/list`, all.sort(), query, (some) => ({ name, tags: some }));
    return { ...answer, headers: { ...answer.headers, ...warningHeader(known?.stale) } };
  }

  async function referrersEndpoint({ method, name, tags, query, reference }: Asked): Promise<Answer> {
    if (method !== 'GET') return notAllowed('GET, HEAD', 'the list of referrers follows the manifests');
    if (!isDigest(reference)) return errorAnswer(400, 'DIGEST_INVALID', 'not a digest');
    const all = (await through?.referrers(name, reference)) ?? (await storedReferrers(name, tags, reference));
    const type = query.get('artifactType');
    const manifests = type === null ? all : all.filter(({ artifactType }) => artifactType === type);
    const answer = jsonAnswer({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    return {
      ...answer,
      headers: {
        ...answer.headers,
        'content-type': OCI_INDEX,
        ...(type === null ? {} : { 'oci-filters-applied': 'artifactType' }),
      },
    };
  }

  /**
   * Whatever name the image had when they were attached: `localhost:5000/x` may be asked for as `x`, and manifests are
   * found by digest in every repository, too.
   */
  async function storedReferrers(
    name: string,
    tags: Tags | undefined,
    subject: Digest,
  ): Promise<Descriptor[]> {
    const repository = storeRepository(name);
    if (tags === undefined && !isServed(paths, repository)) return [];
    const all = await store.referrers(subject);
    return all.filter(({ digest }) => !isRemoved(paths, repository, digest));
  }

  async function manifestEndpoint({ request, method, query, name, tags, reference }: Asked): Promise<Answer> {
    if (method === 'PUT' && writes !== undefined) return writes.putManifest(name, reference, query, request);
    if (reference.includes(':') && !isDigest(reference))
      return errorAnswer(400, 'DIGEST_INVALID', 'not a digest');
    if (method === 'DELETE' && writes !== undefined) {
      const exists = isDigest(reference) && (await findManifest(name, tags, reference)) !== undefined;
      return writes.deleteManifest(name, reference, tags, exists);
    }
    if (method !== 'GET') return notAllowed('GET, HEAD, PUT, DELETE', 'not a method of manifests');
    const passed = await through?.manifest(request, name, reference);
    if (passed !== undefined) return passed;
    if (tags === undefined && !isServed(paths, storeRepository(name))) return unknownName(name);
    const descriptor = await findManifest(name, tags, reference);
    if (descriptor === undefined) {
      return errorAnswer(
        404,
        'MANIFEST_UNKNOWN',
        `no manifest ${reference.slice(0, 150)} in this repository`,
      );
    }
    if (!(await store.has(descriptor))) {
      return errorAnswer(404, 'MANIFEST_UNKNOWN', `${descriptor.digest} is not in the store any more`);
    }
    return answerContent(request, descriptor, () => store.locate(descriptor));
  }

  /** Content is addressed by its digest: a platform's manifest is found though only its index has a tag. */
  async function findManifest(
    name: string,
    tags: Tags | undefined,
    reference: string,
  ): Promise<Descriptor | undefined> {
    if (!isDigest(reference)) return isTag(reference) ? tags?.get(reference) : undefined;
    for (const descriptor of tags?.values() ?? []) if (descriptor.digest === reference) return descriptor;
    return isRemoved(paths, storeRepository(name), reference) ? undefined : byDigest(store, reference);
  }

  async function blobEndpoint({ request, method, name, tags, reference }: Asked): Promise<Answer> {
    if (method === 'DELETE' && writes !== undefined) return writes.deleteBlob(name, reference);
    if (method !== 'GET') return notAllowed('GET, HEAD, DELETE', 'not a method of blobs');
    if (!isDigest(reference)) return errorAnswer(400, 'DIGEST_INVALID', 'not a digest');
    const passed = await through?.blob(request, name, reference);
    if (passed !== undefined) return passed;
    if (writes === undefined && through === undefined && tags === undefined) return unknownName(name);
    const size = sizeOf(blobPath(paths, reference));
    const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest: reference, size };
    if (!(await store.has(descriptor)) || isRemoved(paths, storeRepository(name), reference)) {
      return errorAnswer(404, 'BLOB_UNKNOWN', `no blob ${reference} in the store`);
    }
    return answerContent(request, descriptor, () => store.locate(descriptor));
  }

  return {
    route: (request) =>
      route(request).catch((error: unknown) => {
        if (error instanceof Refusal) return error.answer;
        throw error;
      }),
    close: () => writes?.uploads.close(),
  };
}

function notAllowed(allow: string, message: string): Answer {
  return new Refusal(405, 'UNSUPPORTED', message, { allow }).answer;
}

function unknownName(name: string): Answer {
  return errorAnswer(404, 'NAME_UNKNOWN', `no repository ${name} in the store`);
}

async function byDigest(store: BlobStore, digest: Digest): Promise<Descriptor | undefined> {
  try {
    return await store.resolve({ registry: 'docker.io', repository: 'library/any', digest });
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return undefined;
    throw error;
  }
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
