// Which of the store's names a reference may stand for: ours are full (`docker.io/library/alpine:3.20`), another tool
// may have written what its user typed (`skopeo copy … oci:STORE:alpine:3.20`).
import { formatReference, formatRepository, type Reference } from '../reference/reference.ts';

/** The names to look for, best first. */
export function candidateNames(reference: Reference): string[] {
  const full = formatReference(reference);
  const { tag, digest } = reference;
  if (digest !== undefined)
    return tag === undefined ? [full] : [full, `${formatRepository(reference)}@${digest}`];
  const repositories = [formatRepository(reference)];
  if (reference.registry === 'docker.io') {
    repositories.push(reference.repository);
    if (reference.repository.startsWith('library/'))
      repositories.push(reference.repository.slice('library/'.length));
  }
  const names = repositories.map((repository) => `${repository}:${tag}`);
  return tag === 'latest' ? [...names, ...repositories] : names;
}
