// PLACEHOLDER types: replaced by the folder's author
import type { Digest } from './digest.ts';

/** An image name, fully normalised: `alpine` is docker.io / library/alpine / latest. */
export interface Reference {
  /** Host and optional port as written, `docker.io` for Docker Hub. */
  readonly registry: string;
  /** `library/alpine` */
  readonly repository: string;
  /** Absent only when a digest is given and no tag was written. */
  readonly tag?: string;
  /** Wins over the tag when present. */
  readonly digest?: Digest;
}
