// What every box of images has in common: OCI layout directories, oci-archives and docker-archives.
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageSource, Listing, LocalBlobs, Referring } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';

/** Which image of an archive is meant, as `oci:DIR[:TAG][@DIGEST]` writes it. */
export interface ImageSelector {
  tag?: string;
  digest?: Digest;
}

/** An opened box. `locate` has no answer (BLOB_NOT_FOUND) for a manifest made up from a docker-archive: `fetch` it. */
export interface Archive extends ImageSource, Listing, LocalBlobs, Partial<Referring> {
  readonly path: string;
  /** The chosen image; without a selector the only one. Throws IMAGE_NOT_FOUND, or USAGE when there are several. */
  resolveName(selector?: ImageSelector): Promise<Descriptor>;
  /** Closes the file and removes what was spooled to a temporary one. */
  close(): Promise<void>;
}
