// What artifacts refer to when they refer to an image: what its name stands for, or the manifest of a platform asked for.
import type { Client } from './client.ts';
import { openImage } from './open-image.ts';
import { type OpenedSource, openSource } from './open-source.ts';

/** The image with the subject as its root; `cheap` as in `resolve`. Throws IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND and what the place throws. */
export async function openSubject(
  client: Client,
  image: string,
  options: { cheap?: boolean } = {},
): Promise<OpenedSource> {
  if ((await client.platform()) === undefined) return await openSource(client, image, options);
  const opened = await openImage(client, image);
  return { ...opened, root: opened.descriptor };
}
