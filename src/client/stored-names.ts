// What the store says to a name, in the form that whoever asks a registry first needs: nothing is no failure.
import type { BlobStore } from '../blobstore/store.ts';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { isTag } from '../reference/grammar.ts';
import { formatRepository, type Reference, type Repository } from '../reference/reference.ts';

/** What a name stands for, or the document with its digest; undefined when it is not in the store. */
export async function stored(store: BlobStore, reference: Reference): Promise<Descriptor | undefined> {
  try {
    const descriptor = await store.resolve(reference);
    return (await store.has(descriptor)) ? descriptor : undefined;
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}

/** The tags of a repository; undefined when the store has none. */
export async function storedTags(store: BlobStore, name: Repository): Promise<string[] | undefined> {
  const prefix = `${formatRepository(name)}:`;
  const names = (await store.list()).map((entry) => entry.name ?? '');
  const found = names.filter((text) => text.startsWith(prefix)).map((text) => text.slice(prefix.length));
  return found.length === 0 ? undefined : found.filter(isTag);
}
