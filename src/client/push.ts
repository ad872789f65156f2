// Push: from the store, or an archive, to a registry.
import { OciError } from '../errors.ts';
import type { Client } from './client.ts';
import { parseImage, parseName } from './image-argument.ts';
import { registryDestination } from './open-destination.ts';
import { openSource, openStoredImage } from './open-source.ts';
import { type CopiedImage, type TransferOptions, transfer } from './transfer.ts';

/**
 * Pushes `image`, which the store has under this name, to the registry it names, or as `destination`.
 * Throws IMAGE_NOT_FOUND, USAGE, UNAUTHORIZED, DENIED, and what the places throw.
 */
export async function push(
  client: Client,
  image: string,
  destination?: string,
  options: TransferOptions = {},
): Promise<CopiedImage> {
  const name = await parseImage(client, image);
  if (name.transport === 'docker') {
    throw new OciError('USAGE', `${image}: push takes images of the store or an archive`, {
      hint: `from registry to registry: ocitool copy ${image} DEST`,
    });
  }
  const isStored = name.transport === 'store-or-registry';
  if (!isStored && destination === undefined) {
    throw new OciError('USAGE', `${image}: push where to?`, { hint: `write: ocitool push ${image} NAME` });
  }
  const to = destination ?? image;
  const opened = await registryDestination(client, await parseName(client, to));
  const open = isStored ? openStoredImage : openSource;
  const [copied] = await transfer(client, [image], opened, { ...options, open, verb: 'pushed' });
  return copied as CopiedImage;
}
