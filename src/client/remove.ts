// Remove: manifests and tags of a registry.
import { OciError } from '../errors.ts';
import type { Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseImage } from './image-argument.ts';

/**
 * Deletes `docker://NAME@DIGEST`, a manifest with every tag of it, or `docker://NAME:TAG`, the tag alone. Blobs go when
 * the registry collects its garbage.
 * Throws USAGE, IMAGE_NOT_FOUND, UNSUPPORTED (switched off there, or not by tag), DENIED, UNAUTHORIZED.
 */
export async function remove(client: Client, image: string): Promise<Reference> {
  const name = await parseImage(client, image);
  if (name.transport !== 'docker') {
    throw new OciError('USAGE', `${image}: not docker://NAME`, {
      hint: 'names in the store are taken away with: ocitool untag NAME',
    });
  }
  await (await client.repository(name.reference, 'push')).remove(name.reference);
  return name.reference;
}
