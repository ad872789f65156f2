// A repository of a registry as a place images can be read from (OCI distribution spec, pull).
import { OciError } from '../errors.ts';
import type { ImageSource } from '../place/place.ts';
import type { CredentialSource } from './credentials.ts';
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
  _transport: Transport,
  _name: RepositoryName,
  _options: { credentials?: CredentialSource | undefined } = {},
): Repository {
  throw new OciError('UNSUPPORTED', 'being written');
}
