// Reads the small documents of an image graph (indexes, manifests, configs) from any place: bounded and verified.
import { isOciError, OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { type ManifestDocument, parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { type ImageSource, isRemote } from './place.ts';
import { readVerified } from './verify.ts';

/** Options of the readers here. */
export interface ReadOptions {
  signal?: AbortSignal | undefined;
}

/** The verified bytes of a small document; asked for once more when they came changed over a network. Throws MANIFEST_TOO_LARGE before anything is read, and what `fetch` throws. */
export async function readSmall(
  source: ImageSource,
  descriptor: Descriptor,
  options: ReadOptions = {},
): Promise<Buffer> {
  if (descriptor.size > MANIFEST_LIMIT) {
    throw new OciError(
      'MANIFEST_TOO_LARGE',
      `${descriptor.digest}: a document of ${descriptor.size} bytes; the limit is ${MANIFEST_LIMIT}`,
      { hint: 'no real image needs a manifest or config this large; do not trust it' },
    );
  }
  const read = async (): Promise<Buffer> =>
    readVerified(await source.fetch(descriptor, { signal: options.signal }), descriptor);
  try {
    return await read();
  } catch (error) {
    const changed = isOciError(error, 'DIGEST_MISMATCH') || isOciError(error, 'SIZE_MISMATCH');
    if (!changed || !isRemote(source)) throw error;
    return await read();
  }
}

/** The verified, parsed index or manifest that `descriptor` names. Throws MANIFEST_INVALID and what `readSmall` throws. */
export async function readDocument(
  source: ImageSource,
  descriptor: Descriptor,
  options: ReadOptions = {},
): Promise<ManifestDocument> {
  return parseDocument(await readSmall(source, descriptor, options), { descriptor });
}
