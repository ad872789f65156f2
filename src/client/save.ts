// Save: images in one file or directory that other tools read.
import { parseImageSource } from '../archive/image-name.ts';
import { OciError } from '../errors.ts';
import type { Client } from './client.ts';
import { openDestination } from './open-destination.ts';
import { type CopiedImage, type TransferOptions, transfer } from './transfer.ts';

/**
 * Writes the images to `destination`: `docker-archive:FILE`, `oci-archive:FILE` or `oci:DIR`. The same images give the
 * same bytes; the file appears whole at the end, or not at all.
 * Throws USAGE, IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, UNSUPPORTED (no image in docker's sense), DISK_FULL, PERMISSION.
 */
export async function save(
  client: Client,
  images: string | string[],
  destination: string,
  options: TransferOptions = {},
): Promise<CopiedImage[]> {
  const list = Array.isArray(images) ? images : [images];
  const { transport, ...place } = parseImageSource(destination);
  if (transport === 'docker' || transport === 'store-or-registry') {
    throw new OciError('USAGE', `${destination}: not an archive`, {
      hint: `write docker-archive:FILE, oci-archive:FILE or oci:DIR; to a registry: ocitool push`,
    });
  }
  if (list.length > 1 && 'selector' in place && place.selector.tag !== undefined) {
    throw new OciError('USAGE', `${destination}: one name for ${list.length} images`, {
      hint: 'leave the name out: each image keeps its own',
    });
  }
  return await transfer(client, list, await openDestination(client, destination), {
    ...options,
    verb: 'saved',
  });
}
