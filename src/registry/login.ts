// Whether a registry accepts a credential, asked before it is kept.
import { OciError } from '../errors.ts';
import { createAuth } from './authorizer.ts';
import { discard } from './body.ts';
import type { Credential } from './credentials.ts';
import { responseError } from './response-error.ts';
import type { Transport } from './transport.ts';

/**
 * Resolves when the registry accepts the credential at its `/v2/`.
 * Throws UNAUTHORIZED or DENIED when it does not, REGISTRY_ERROR when there is no registry, and what a request throws.
 */
export async function checkLogin(
  transport: Transport,
  registry: string,
  credential: Credential,
  options: { signal?: AbortSignal | undefined } = {},
): Promise<void> {
  const origin = await transport.origin(registry, options);
  const auth = createAuth(transport, { registry, credentials: async () => credential });
  const response = await transport.request({
    method: 'GET',
    url: `${origin.origin}/v2/`,
    what: registry,
    authorizer: auth.for([]),
    signal: options.signal,
  });
  if (response.status === 401) {
    await discard(response);
    throw new OciError('UNAUTHORIZED', `${registry}: the user name or password was refused`, {
      hint: 'some registries want an access token in place of the password',
    });
  }
  if (response.status !== 200)
    throw await responseError(response, { what: registry, registry, kind: 'ping' });
  await discard(response);
}
