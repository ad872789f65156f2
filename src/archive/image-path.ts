// IMAGE:PATH, a file of an image as `cp` takes it. Both halves may hold colons; what parts them is `:/`.
import { isOciError, OciError } from '../errors.ts';
import { parseImageSource } from './image-name.ts';

/** A parsed IMAGE:PATH. */
export interface ImagePath {
  image: string;
  /** From the image's root, with its leading slash. */
  path: string;
}

/** Names that are a transport when nothing follows: `oci:/dir` is an image without a path, not an image called oci. */
const TRANSPORT = /^(docker|oci|oci-archive|docker-archive)$/;

/**
 * Parses IMAGE:PATH. The last `:/` that leaves an IMAGE in front of it parts the two, so that `oci:/dir:tag:/etc` means
 * what it says, and a PATH with `:/` in it works behind a registry's name, which can hold none. Throws USAGE.
 */
export function parseImagePath(text: string): ImagePath {
  for (let at = text.lastIndexOf(':/'); at > 0; at = text.lastIndexOf(':/', at - 1)) {
    const image = text.slice(0, at);
    // The slashes of docker://NAME.
    if (!TRANSPORT.test(image) && isImage(image)) return { image, path: text.slice(at + 1) };
  }
  throw new OciError('USAGE', `${JSON.stringify(text.slice(0, 300))} does not name a file of an image`, {
    hint: 'write IMAGE:/PATH, with the path from the root of the image',
  });
}

function isImage(text: string): boolean {
  try {
    parseImageSource(text);
    return true;
  } catch (error) {
    if (isOciError(error)) return false;
    throw error;
  }
}
