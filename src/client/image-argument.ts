// What an image's name means on this machine: what the grammar says, unless an alias of shortnames.conf says otherwise.
import { type ImageName, parseImageSource, registryName } from '../archive/image-name.ts';
import { parseReference, parseRepository, type Reference, type Repository } from '../reference/reference.ts';
import type { Client } from './client.ts';

/** An IMAGE argument. Throws INVALID_REFERENCE, INVALID_DIGEST, USAGE, SETTINGS_INVALID. */
export async function parseImage(client: Client, image: string): Promise<ImageName> {
  const name = parseImageSource(image);
  return 'path' in name ? name : { ...name, reference: await parseName(client, image) };
}

/** A registry's or the store's image, with or without `docker://`. Throws INVALID_REFERENCE, SETTINGS_INVALID. */
export async function parseName(client: Client, image: string): Promise<Reference> {
  const text = registryName(image);
  const reference = parseReference(text);
  const expanded = await client.expand(text);
  return expanded === text ? reference : parseReference(expanded);
}

/** A repository, with or without `docker://`. Throws INVALID_REFERENCE, SETTINGS_INVALID. */
export async function parseRepositoryName(client: Client, text: string): Promise<Repository> {
  const name = registryName(text);
  const repository = parseRepository(name);
  const expanded = await client.expand(name);
  return expanded === name ? repository : parseRepository(expanded);
}
