// Tags: what a repository has, in the order people count.
import { matchesGlob } from 'node:path';
import type { Client } from './client.ts';
import { parseRepositoryName } from './image-argument.ts';

/** Options of `tags`. */
export interface TagsOptions {
  /** Only tags matching this glob (`2.1-*-alpine`). */
  filter?: string | undefined;
  /** At most this many, the first in order. */
  limit?: number | undefined;
}

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'variant' });

/** The tags of a repository, sorted naturally: 2.9 before 2.10. Throws IMAGE_NOT_FOUND, UNAUTHORIZED and the rest. */
export async function tags(client: Client, repository: string, options: TagsOptions = {}): Promise<string[]> {
  const { filter, limit } = options;
  const found: string[] = [];
  const source = await client.repository(await parseRepositoryName(client, repository));
  for await (const tag of source.tags({ signal: client.signal })) {
    if (filter === undefined || matchesGlob(tag, filter)) found.push(tag);
  }
  return found.sort(natural.compare).slice(0, limit);
}
