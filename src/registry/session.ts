// Requests to one repository: the registry's address, the repository's path and its authorization put together.
import { createAuth } from './authorizer.ts';
import type { CredentialSource } from './credentials.ts';
import type { HttpResponse } from './http.ts';
import { type Asked, responseError } from './response-error.ts';
import { repositoryScope } from './scope.ts';
import type { Transport } from './transport.ts';

/** One request within a repository. */
export interface SessionRequest {
  method: 'GET' | 'HEAD';
  /** Below `/v2/REPOSITORY/`, or a whole path of the same registry. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** `docker.io/library/alpine:3.20`, for messages. */
  what: string;
  signal?: AbortSignal | undefined;
}

/** A repository's requests, authorized for pulling. */
export interface Session {
  readonly transport: Transport;
  readonly registry: string;
  readonly repository: string;
  request(request: SessionRequest): Promise<HttpResponse>;
  /** A response that is not what was asked for, as an error. */
  failure(response: HttpResponse, asked: Omit<Asked, 'registry'>): Promise<Error>;
}

/** Opens a session; nothing is sent yet. */
export function createSession(
  transport: Transport,
  registry: string,
  repository: string,
  credentials: CredentialSource | undefined,
): Session {
  const authorizer = createAuth(transport, { registry, repository, credentials }).for([
    repositoryScope(repository, 'pull'),
  ]);
  return {
    transport,
    registry,
    repository,
    async request({ path, ...request }) {
      const origin = await transport.origin(registry, { signal: request.signal });
      const url = new URL(path, `${origin.origin}/v2/${repository}/`);
      return await transport.request({ ...request, url: url.href, authorizer });
    },
    failure: (response, asked) => responseError(response, { ...asked, registry }),
  };
}
