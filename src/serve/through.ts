// Answers out of the registry behind a pull-through server. What the store has by its digest is served from there, and a
// tag is asked about each time: it may have moved.
import type { IncomingMessage } from 'node:http';
import { sizeOf } from '../blobstore/blob-files.ts';
import { blobPath, storePaths } from '../blobstore/paths.ts';
import type { BlobStore } from '../blobstore/store.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Digest } from '../reference/digest.ts';
import type { Answer } from './answer.ts';
import { answerContent } from './content.ts';
import { passOn, type Upstream, type UpstreamTags, warningHeader } from './upstream.ts';

/** Each answer is undefined where the store alone decides: for repositories of other registries. */
export interface Through {
  manifest(request: IncomingMessage, name: string, reference: string): Promise<Answer | undefined>;
  blob(request: IncomingMessage, name: string, digest: Digest): Promise<Answer | undefined>;
  tags(name: string): Promise<UpstreamTags | undefined>;
  referrers(name: string, subject: Digest): Promise<Descriptor[] | undefined>;
}

export function createThrough(store: BlobStore, upstream: Upstream): Through {
  const paths = storePaths(store.dir);

  async function asked<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw passOn(error, upstream.registry);
    }
  }

  return {
    manifest: (request, name, reference) =>
      asked(async () => {
        const document = request.method === 'GET';
        const found = await upstream.manifest(name, reference, { document });
        if (found === undefined) return undefined;
        const { descriptor, raw, stale } = found;
        const answer = await answerContent(request, descriptor, async () => raw ?? store.locate(descriptor));
        return { ...answer, headers: { ...answer.headers, ...warningHeader(stale) } };
      }),
    blob: (request, name, digest) =>
      asked(async () => {
        const size = sizeOf(blobPath(paths, digest));
        if (await store.has({ mediaType: '', digest, size })) return undefined;
        if (request.method !== 'GET') {
          const known = await upstream.describe(name, digest);
          return known && answerContent(request, octets(known), () => store.locate(known));
        }
        const blob = await upstream.blob(name, digest);
        if (blob === undefined) return undefined;
        let used = false;
        const answer = await answerContent(request, octets(blob.descriptor), async () => {
          used = true;
          return blob.content;
        });
        if (!used && 'release' in blob.content) blob.content.release();
        return answer;
      }),
    tags: (name) => asked(() => upstream.tags(name)),
    referrers: (name, subject) => asked(() => upstream.referrers(name, subject)),
  };
}

/** A blob has no type of its own. */
function octets({ digest, size }: Descriptor): Descriptor {
  return { mediaType: 'application/octet-stream', digest, size };
}
