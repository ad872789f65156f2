// Copy: an image from any place to a registry, a layout or an archive. Between registries nothing touches the disk.
import type { Client } from './client.ts';
import { openDestination } from './open-destination.ts';
import { openSource } from './open-source.ts';
import { type CopiedImage, type TransferOptions, transfer } from './transfer.ts';
import type { Rule } from './verified-repository.ts';

export interface CopyImageOptions extends TransferOptions {
  /** What the image has to be signed as; checked before any of it is copied. `verifyRule` makes one. */
  verify?: Rule | undefined;
}

/**
 * Copies `source` (an IMAGE) to `destination` (a registry's name, `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`).
 * What is there is not sent again; blobs of another repository of the same registry are mounted.
 * Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, BLOB_NOT_FOUND, UNAUTHORIZED, DENIED, SIGNATURE_INVALID, and what the
 * places throw.
 */
export async function copyImage(
  client: Client,
  source: string,
  destination: string,
  { verify, ...options }: CopyImageOptions = {},
): Promise<CopiedImage> {
  const reading = verify === undefined ? client : await verified(client, source, verify);
  const opened = await openDestination(client, destination);
  const [copied] = await transfer(reading, [source], opened, { ...options, verb: 'copied' });
  return copied as CopiedImage;
}

/** A client that reads only what fulfils the rule from registries; what is elsewhere is looked at here. */
async function verified(client: Client, image: string, rule: Rule): Promise<Client> {
  const { verifyingClient } = await import('./verified-repository.ts');
  const { checkOpened } = await import('./verify.ts');
  const verifying = verifyingClient(client, rule);
  const opened = await openSource(verifying, image);
  try {
    if (opened.from !== 'registry') await checkOpened(client, opened, rule);
  } finally {
    await opened.close();
  }
  return verifying;
}
