// A repository of a registry as a place images can be read from (OCI distribution spec, pull).
import { Readable } from 'node:stream';
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { MANIFEST_LIMIT, parseDocument } from '../manifest/document.ts';
import {
  isIndexType,
  isManifestType,
  isSchema1Type,
  MANIFEST_ACCEPT,
  mediaTypeOf,
} from '../manifest/media-types.ts';
import type { FetchOptions, ImageSource, ResolveOptions } from '../place/place.ts';
import { algorithmOf, type Digest, digestOf, isDigest } from '../reference/digest.ts';
import {
  familiarReference,
  formatReference,
  formatRepository,
  type Reference,
} from '../reference/reference.ts';
import { createAuth } from './authorizer.ts';
import { openBlobStream } from './blob-stream.ts';
import { readBytes } from './body.ts';
import { parseContentLength } from './content-range.ts';
import type { CredentialSource } from './credentials.ts';
import { type HttpRequest, type HttpResponse, header } from './http.ts';
import { nearTags } from './near-tags.ts';
import { type Asked, responseError } from './response-error.ts';
import { repositoryScope } from './scope.ts';
import { PAGE_SIZE, tagPages } from './tag-list.ts';
import type { Transport } from './transport.ts';

/** Names a repository; a whole `Reference` will do. */
export interface RepositoryName {
  readonly registry: string;
  readonly repository: string;
}

export interface Repository extends ImageSource, RepositoryName {
  /** Tags page by page, in the registry's order; `n` asks for a page size. Throws IMAGE_NOT_FOUND. */
  tags(options?: { n?: number; signal?: AbortSignal | undefined }): AsyncGenerator<string, void>;
}

/** Opens a repository; no request is made before one is needed. Default: anonymous. */
export function openRepository(
  transport: Transport,
  { registry, repository }: RepositoryName,
  options: { credentials?: CredentialSource | undefined } = {},
): Repository {
  const auth = createAuth(transport, { registry, repository, credentials: options.credentials });
  const authorizer = auth.for([repositoryScope(repository, 'pull')]);
  const name = formatRepository({ registry, repository });
  /** Documents read while resolving a name, so that fetching them does not ask twice. */
  const documents = new Map<Digest, Buffer>();

  async function send(
    request: Pick<HttpRequest, 'method' | 'headers' | 'what' | 'signal'>,
    path: string,
  ): Promise<HttpResponse> {
    const origin = await transport.origin(registry, { signal: request.signal });
    return transport.request({ ...request, url: `${origin.origin}/v2/${repository}/${path}`, authorizer });
  }

  function manifestRequest(
    method: 'GET' | 'HEAD',
    reference: string,
    what: string,
    signal?: AbortSignal,
  ): Promise<HttpResponse> {
    return send({ method, headers: { accept: MANIFEST_ACCEPT }, what, signal }, `manifests/${reference}`);
  }

  /** HEAD: no body, and no part of Docker Hub's pull limit. Undefined when the answer does not say enough. */
  async function head(
    wanted: Reference,
    what: string,
    signal?: AbortSignal,
  ): Promise<Descriptor | undefined> {
    const response = await manifestRequest('HEAD', wanted.digest ?? wanted.tag ?? 'latest', what, signal);
    await response.body.dump();
    if (response.status !== 200) return undefined;
    const mediaType = mediaTypeOf(header(response.headers, 'content-type') ?? '');
    const digest = wanted.digest ?? header(response.headers, 'docker-content-digest') ?? '';
    const size = parseContentLength(header(response.headers, 'content-length'));
    if (!(isIndexType(mediaType) || isManifestType(mediaType)) || !isDigest(digest) || size === undefined)
      return undefined;
    return { mediaType, digest, size };
  }

  async function get(wanted: Reference, what: string, signal?: AbortSignal): Promise<Descriptor> {
    const response = await manifestRequest('GET', wanted.digest ?? wanted.tag ?? 'latest', what, signal);
    if (response.status !== 200) {
      throw await withNearTags(
        await responseError(response, { what, registry, kind: 'manifest' }),
        wanted,
        signal,
      );
    }
    const raw = await readManifest(response, what);
    const contentType = header(response.headers, 'content-type');
    // The header may be missing (ECR), lack its algorithm (Huawei) or lie; the bytes do not.
    const digest = digestOf(raw, wanted.digest === undefined ? 'sha256' : algorithmOf(wanted.digest));
    if (wanted.digest !== undefined && digest !== wanted.digest) {
      throw new OciError(
        'DIGEST_MISMATCH',
        `${what}: the registry sent a manifest with the digest ${digest}`,
        {
          hint: 'the registry or a proxy changed it; report it to whoever runs the registry',
        },
      );
    }
    const document = parseDocument(raw, { contentType, descriptor: undefined });
    if (document.warning !== undefined)
      transport.onProgress({ type: 'warning', message: `${what}: ${document.warning}` });
    documents.set(digest, raw);
    return { mediaType: document.mediaType, digest, size: raw.length };
  }

  async function readManifest(response: HttpResponse, what: string): Promise<Buffer> {
    const tooLarge = (size: string): OciError =>
      new OciError(
        'MANIFEST_TOO_LARGE',
        `${what}: a manifest of ${size} bytes; the limit is ${MANIFEST_LIMIT}`,
        {
          hint: 'no real image needs a manifest this large; do not trust it',
        },
      );
    const length = parseContentLength(header(response.headers, 'content-length')) ?? 0;
    if (length > MANIFEST_LIMIT) {
      response.body.destroy();
      throw tooLarge(String(length));
    }
    const raw = await readBytes(response, MANIFEST_LIMIT, what).catch((error: unknown) => {
      throw isOciError(error, 'REGISTRY_ERROR') ? tooLarge(`more than ${MANIFEST_LIMIT}`) : error;
    });
    return raw;
  }

  /** Adds the tags that come close to the error for one that is not there; a list that cannot be had is no matter. */
  async function withNearTags(error: OciError, wanted: Reference, signal?: AbortSignal): Promise<OciError> {
    if (
      error.code !== 'IMAGE_NOT_FOUND' ||
      error.hint !== undefined ||
      wanted.tag === undefined ||
      wanted.digest !== undefined
    )
      return error;
    const known: string[] = [];
    try {
      for await (const tag of tags({ signal })) {
        if (known.push(tag) >= PAGE_SIZE) break;
      }
    } catch {
      return error;
    }
    const near = nearTags(wanted.tag, known);
    const hint =
      near.length > 0
        ? `tags that come close: ${near.join(', ')}`
        : `see what there is with: ocitool tags ${familiarReference({ registry, repository })}`;
    return new OciError('IMAGE_NOT_FOUND', `${formatReference(wanted)}: no such tag`, { hint, cause: error });
  }

  async function resolve(wanted: Reference, { signal, cheap }: ResolveOptions = {}): Promise<Descriptor> {
    const what = formatReference(wanted);
    const found = cheap === true ? await head(wanted, what, signal) : undefined;
    // Whatever HEAD is answered with (405, 403, half an answer), GET tells more.
    return found ?? (await get(wanted, what, signal));
  }

  async function fetch(descriptor: Descriptor, { offset = 0, signal }: FetchOptions = {}): Promise<Readable> {
    const known = documents.get(descriptor.digest);
    if (known !== undefined) return Readable.from([known.subarray(offset)]);
    const { mediaType, digest } = descriptor;
    const isDocument = isIndexType(mediaType) || isManifestType(mediaType) || isSchema1Type(mediaType);
    const kind = isDocument ? 'manifest' : 'blob';
    const what = `${name}@${digest}`;
    const ending = signal ?? new AbortController().signal;
    const requests = {
      what,
      signal: ending,
      retry: transport.retry,
      onProgress: transport.onProgress,
      async get(from: number) {
        // Some registries refuse `bytes=0-`: no range is asked for from the start.
        const headers = {
          ...(isDocument && { accept: MANIFEST_ACCEPT }),
          ...(from > 0 && { range: `bytes=${from}-` }),
        };
        const response = await send({ method: 'GET', headers, what, signal }, `${kind}s/${digest}`);
        return usable(response, from, { what, registry, kind });
      },
    };
    try {
      return await openBlobStream(requests, descriptor, offset);
    } catch (error) {
      if (!isOciError(error, 'BLOB_NOT_FOUND') || !descriptor.urls?.length) throw error;
      return openForeign(descriptor, descriptor.urls, offset, { ...requests, what });
    }
  }

  /** A layer that lives elsewhere by its own word: never with credentials (CVE-2020-15157). */
  async function openForeign(
    descriptor: Descriptor,
    urls: readonly string[],
    offset: number,
    requests: Parameters<typeof openBlobStream>[0],
  ): Promise<Readable> {
    const onBehalfOf = await transport.origin(registry);
    let failure: unknown;
    for (const url of urls) {
      const get = async (from: number): Promise<HttpResponse> => {
        const headers = from > 0 ? { range: `bytes=${from}-` } : {};
        const response = await transport.request({
          method: 'GET',
          url,
          headers,
          what: requests.what,
          signal: requests.signal,
          onBehalfOf,
        });
        return usable(response, from, { what: requests.what, registry, kind: 'blob' });
      };
      try {
        return await openBlobStream({ ...requests, get }, descriptor, offset);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  async function* tags({
    n = PAGE_SIZE,
    signal,
  }: {
    n?: number;
    signal?: AbortSignal | undefined;
  } = {}): AsyncGenerator<string, void> {
    const origin = await transport.origin(registry, { signal });
    const first = new URL(`/v2/${repository}/tags/list?n=${n}`, origin);
    yield* tagPages(
      first,
      async (url) => {
        const response = await transport.request({
          method: 'GET',
          url: url.href,
          what: name,
          signal,
          authorizer,
        });
        if (response.status !== 200)
          throw await responseError(response, { what: name, registry, kind: 'tags' });
        return response;
      },
      name,
    );
  }

  return { registry, repository, resolve, fetch, tags };
}

/** The answer when it carries bytes or says that the range is impossible; its error otherwise. */
async function usable(response: HttpResponse, from: number, asked: Asked): Promise<HttpResponse> {
  if (response.status === 200 || (from > 0 && (response.status === 206 || response.status === 416)))
    return response;
  throw await responseError(response, asked);
}
