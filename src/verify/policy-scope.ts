// Which part of a policy is for an image: the most specific one, and no other (containers-policy.json(5), docker:).
import { formatReference, formatRepository, type Reference } from '../reference/reference.ts';
import type { Policy, Requirement } from './policy-file.ts';

/** The requirements for an image of a registry, with the scope that named them. */
export function requirementsFor(
  { transports, default: fallback }: Policy,
  reference: Reference,
): { scope: string; requirements: Requirement[] } {
  const scopes = transports.docker ?? {};
  for (const scope of scopesOf(reference)) {
    const requirements = Object.hasOwn(scopes, scope) ? scopes[scope] : undefined;
    if (requirements !== undefined) return { scope, requirements };
  }
  return { scope: 'default', requirements: fallback };
}

/**
 * `docker.io/library/alpine:3.20`, the repository, its namespaces, the host, `*.io`, and the transport's own default. A
 * name with tag and digest is its digest: that is what is fetched.
 */
export function scopesOf(reference: Reference): string[] {
  const { registry, repository, tag, digest } = reference;
  const exact = digest === undefined ? { registry, repository, tag } : { registry, repository, digest };
  const scopes = [formatReference(exact as Reference)];
  const parts = formatRepository(reference).split('/');
  for (let length = parts.length; length > 0; length -= 1) scopes.push(parts.slice(0, length).join('/'));
  const labels = registry.replace(/:\d+$/, '').split('.');
  for (let from = 1; from < labels.length; from += 1) scopes.push(`*.${labels.slice(from).join('.')}`);
  return [...scopes, ''];
}
