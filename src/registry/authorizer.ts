// Answers a registry's challenges: which scheme, which credential, which scopes, and how long a token is kept.
import { OciError } from '../errors.ts';
import { discard } from './body.ts';
import { type Challenge, insufficientScope, parseChallenges, pickChallenge } from './challenge.ts';
import type { CredentialSource } from './credentials.ts';
import { type Authorizer, headerValues, type ResponseHeaders } from './http.ts';
import { cleanScopes, coversScopes, splitScopes, withNeeds } from './scope.ts';
import { shared } from './shared.ts';
import { basicAuthorization, fetchToken } from './token.ts';
import type { Transport } from './transport.ts';

/** The authorization for one repository of one registry; each set of scopes has its own token. */
export interface RepositoryAuth {
  for(scopes: readonly string[]): Authorizer;
}

export interface AuthOptions {
  /** The registry's name, for messages and credentials. */
  registry: string;
  repository?: string | undefined;
  credentials?: CredentialSource | undefined;
}

/** An Authorization value in use. */
interface Grant {
  value: string;
  expiresAt: number;
  /** What was asked for to get it. */
  scopes: readonly string[];
}

/** How a grant was got, to get it again. */
interface Plan {
  challenge: Challenge;
  scopes: readonly string[];
}

/** Starts without credentials: a registry that wants them says so, and says where to get a token. */
export function createAuth(
  transport: Transport,
  { registry, repository, credentials }: AuthOptions,
): RepositoryAuth {
  const grants = new Map<string, Grant>();
  const plans = new Map<string, Plan>();
  const flights = new Map<string, Promise<Grant>>();
  const credential = once(async () => await credentials?.(registry, repository));
  const pings = new Map<string, Promise<Challenge[]>>();

  function forScopes(wanted: readonly string[]): Authorizer {
    const key = cleanScopes(wanted).join(' ');

    function valid(): Grant | undefined {
      const grant = grants.get(key);
      return grant !== undefined && grant.expiresAt > Date.now() ? grant : undefined;
    }

    async function renew(plan: Plan, signal: AbortSignal): Promise<Grant> {
      plans.set(key, plan);
      const flight = `${key}|${plan.scopes.join(' ')}`;
      return await shared(flights, flight, () => obtain(plan, key), signal);
    }

    return {
      async header(signal) {
        const plan = plans.get(key);
        const grant = valid() ?? (plan === undefined ? undefined : await renew(plan, signal));
        return grant?.value;
      },
      async challenged(headers, sent, round, signal) {
        const challenges = await challengesOf(headers, signal);
        const challenge = pickChallenge(challenges);
        if (challenge === undefined) return false;
        const current = valid();
        // Another request renewed it while this one was on its way.
        if (current !== undefined && current.value !== sent) return true;
        const lacking = sent === undefined ? undefined : insufficientScope(challenges);
        const asked = splitScopes(challenge.params.scope);
        let scopes = withNeeds(asked, wanted);
        if (current !== undefined) {
          // Docker Hub says so of every image that does not exist: asking for the same again would never end.
          if (lacking !== undefined && coversScopes(current.scopes, splitScopes(lacking))) return false;
          if (lacking !== undefined) scopes = cleanScopes([...current.scopes, ...splitScopes(lacking)]);
          else if (round > 1) return false;
        }
        grants.delete(key);
        const grant = await renew({ challenge, scopes }, signal);
        return grant.value !== sent;
      },
      elsewhere: (url) => createAuth(transport, { registry: url.host }).for([]),
    };
  }

  /** GCR's 401 to a real request may come without a challenge: its `/v2/` has one. */
  async function challengesOf(headers: ResponseHeaders, signal: AbortSignal): Promise<Challenge[]> {
    const challenges = parseChallenges(headerValues(headers, 'www-authenticate'));
    return challenges.length > 0 ? challenges : await shared(pings, registry, ping, signal);
  }

  async function ping(): Promise<Challenge[]> {
    const origin = await transport.origin(registry);
    const response = await transport.request({ method: 'GET', url: `${origin.origin}/v2/`, what: registry });
    await discard(response);
    return parseChallenges(headerValues(response.headers, 'www-authenticate'));
  }

  async function obtain(plan: Plan, key: string): Promise<Grant> {
    const grant = { ...(await authorization(plan)), scopes: plan.scopes };
    grants.set(key, grant);
    return grant;
  }

  async function authorization({ challenge, scopes }: Plan): Promise<Omit<Grant, 'scopes'>> {
    const known = await credential();
    if (challenge.scheme === 'basic') {
      const value = basicAuthorization(known);
      if (value === undefined) throw loginNeeded(registry);
      return { value, expiresAt: Number.POSITIVE_INFINITY };
    }
    if (known?.type === 'bearer') {
      return { value: `Bearer ${known.token}`, expiresAt: Number.POSITIVE_INFINITY };
    }
    const { token, expiresAt } = await fetchToken(transport, {
      registry,
      origin: await transport.origin(registry),
      realm: challenge.params.realm ?? '',
      service: challenge.params.service,
      scopes,
      credential: known,
    });
    return { value: `Bearer ${token}`, expiresAt };
  }

  return { for: forScopes };
}

function loginNeeded(registry: string): OciError {
  return new OciError('UNAUTHORIZED', `${registry}: wants a user name and password`, {
    hint: `log in with: ocitool login ${registry}`,
  });
}

/** The function's first successful result, for every caller. */
function once<T>(start: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= start();
    result.catch(() => {
      result = undefined;
    });
    return result;
  };
}
