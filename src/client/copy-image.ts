// Copy: an image from any place to a registry, a layout or an archive. Between registries nothing touches the disk.
import type { Client } from './client.ts';
import { openDestination } from './open-destination.ts';
import { type CopiedImage, type TransferOptions, transfer } from './transfer.ts';

/**
 * Copies `source` (an IMAGE) to `destination` (a registry's name, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`).
 * What is there is not sent again; blobs of another repository of the same registry are mounted.
 * Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, BLOB_NOT_FOUND, UNAUTHORIZED, DENIED, and what the places throw.
 */
export async function copyImage(
  client: Client,
  source: string,
  destination: string,
  options: TransferOptions = {},
): Promise<CopiedImage> {
  const opened = await openDestination(client, destination);
  const [copied] = await transfer(client, [source], opened, { ...options, verb: 'copied' });
  return copied as CopiedImage;
}
