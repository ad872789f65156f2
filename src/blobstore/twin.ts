// Older tools find only OCI types in an OCI layout's index.json: skopeo 1.9, as in Debian 12, passes over Docker's.
// So an image of Docker's types has a second entry by the same name, of an OCI type, that leads to the same documents:
// a manifest list is an OCI index in all but name, a single manifest gets an index around it.
import { TWIN_OF } from '../manifest/annotations.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX } from '../manifest/media-types.ts';
import { digestOf } from '../reference/digest.ts';

/** The second entry, and the document it needs where there was none. */
export interface Twin {
  descriptor: Descriptor;
  document: Buffer | undefined;
}

/** The twin of an image of Docker's types; undefined for others, which need none. */
export function twinOf(image: Descriptor): Twin | undefined {
  const { mediaType, digest, size } = image;
  const annotations = { [TWIN_OF]: digest };
  if (mediaType === DOCKER_LIST) {
    return { descriptor: { mediaType: OCI_INDEX, digest, size, annotations }, document: undefined };
  }
  if (mediaType !== DOCKER_MANIFEST) return undefined;
  const document = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [{ mediaType, digest, size }] }),
  );
  const descriptor = { mediaType: OCI_INDEX, digest: digestOf(document), size: document.length, annotations };
  return { descriptor, document };
}
