// Requests to one repository: the registry's address, the repository's path and its authorization put together.
import { createAuth } from './authorizer.ts';
import type { CredentialSource } from './credentials.ts';
import type { HttpRequest, HttpResponse } from './http.ts';
import { type Asked, responseError } from './response-error.ts';
import { repositoryScope } from './scope.ts';
import type { Transport } from './transport.ts';

/** One request within a repository. */
export interface SessionRequest {
  method: HttpRequest['method'];
  /** Below `/v2/REPOSITORY/`, a whole path of the same registry, or a whole address. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: HttpRequest['body'];
  /** `docker.io/library/alpine:3.20`, for messages. */
  what: string;
  signal?: AbortSignal | undefined;
  onSetback?: HttpRequest['onSetback'];
}

/** A repository's requests, authorized for the session's scopes. */
export interface Session {
  readonly transport: Transport;
  readonly registry: string;
  readonly repository: string;
  request(request: SessionRequest): Promise<HttpResponse>;
  /** A response that is not what was asked for, as an error. */
  failure(response: HttpResponse, asked: Omit<Asked, 'registry'>): Promise<Error>;
  /** The same repository with other rights: to write it, and to read `from` for a mount. */
  writing(from?: string): Session;
}

/** Opens a session for reading; nothing is sent yet. */
export function createSession(
  transport: Transport,
  registry: string,
  repository: string,
  credentials: CredentialSource | undefined,
): Session {
  const auth = createAuth(transport, { registry, repository, credentials });
  function sessionFor(scopes: string[]): Session {
    const authorizer = auth.for(scopes);
    return {
      transport,
      registry,
      repository,
      async request({ path, ...request }) {
        const origin = await transport.origin(registry, { signal: request.signal });
        const url = new URL(path, `${origin.origin}/v2/${repository}/`);
        // An upload may be sent to another host, which gets no token of ours.
        const own = url.origin === origin.origin ? authorizer : authorizer.elsewhere(url);
        return await transport.request({ ...request, url: url.href, authorizer: own });
      },
      failure: (response, asked) => responseError(response, { ...asked, registry }),
      writing(from) {
        const push = repositoryScope(repository, 'push');
        return sessionFor(from === undefined ? [push] : [push, repositoryScope(from, 'pull')]);
      },
    };
  }
  return sessionFor([repositoryScope(repository, 'pull')]);
}
