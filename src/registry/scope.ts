// Token scopes (distribution spec/auth/scope): `type:name:action,action`, brought into one form so that equal sets compare equal.

/** The scope to read, or also write, a repository. */
export function repositoryScope(repository: string, access: 'pull' | 'push'): string {
  return `repository:${repository}:${access === 'pull' ? 'pull' : 'pull,push'}`;
}

/**
 * The scopes sorted, without duplicates, the actions of one resource merged; `*` stands for all actions. A scope that is
 * not of the three-part form stays as it is (ECR Public's `aws`, Forgejo's `*`); one without actions is dropped.
 */
export function cleanScopes(scopes: readonly string[]): string[] {
  const resources = new Map<string, Set<string>>();
  const others = new Set<string>();
  for (const scope of scopes) {
    // A name may hold colons (a host with a port); the actions are behind the last one.
    const split = scope.lastIndexOf(':');
    if (split === scope.indexOf(':')) {
      if (scope !== '') others.add(scope);
      continue;
    }
    const resource = scope.slice(0, split);
    const actions = scope
      .slice(split + 1)
      .split(',')
      .filter((action) => action !== '');
    if (actions.length === 0) continue;
    const merged = resources.get(resource) ?? new Set();
    for (const action of actions) merged.add(action);
    resources.set(resource, merged);
  }
  for (const [resource, actions] of resources) {
    others.add(`${resource}:${actions.has('*') ? '*' : [...actions].sort().join(',')}`);
  }
  return [...others].sort();
}

/** The scopes in a challenge's `scope` parameter, which a space separates. */
export function splitScopes(parameter: string | undefined): string[] {
  return cleanScopes((parameter ?? '').split(' '));
}

/**
 * What to ask for when a challenge asked for `asked` and all requests together need `wanted`: a push begins with a HEAD,
 * whose challenge asks for pull alone, and one token shall do. Only resources it named get more actions: some servers have
 * scopes of their own, and some read only the first.
 */
export function withNeeds(asked: readonly string[], wanted: readonly string[]): string[] {
  if (asked.length === 0) return cleanScopes(wanted);
  const resourceOf = (scope: string): string => scope.slice(0, scope.lastIndexOf(':'));
  const named = new Set(asked.map(resourceOf));
  return cleanScopes([...asked, ...wanted.filter((scope) => named.has(resourceOf(scope)))]);
}

/** True when asking for `held` asked for all of `wanted` already. Both cleaned. */
export function coversScopes(held: readonly string[], wanted: readonly string[]): boolean {
  return cleanScopes([...held, ...wanted]).join(' ') === held.join(' ');
}
