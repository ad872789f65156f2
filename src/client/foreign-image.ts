// An image of one platform leaves no choice: it is pulled for every machine, and that it is for another one is told.
import { configFacts } from '../blobstore/config-facts.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { parseDocument } from '../manifest/document.ts';
import { MANIFEST_LIMIT } from '../manifest/limits.ts';
import { isImageConfigType, isManifestType } from '../manifest/media-types.ts';
import { formatPlatform, hostPlatform } from '../manifest/platform.ts';
import { matchesPlatform } from '../manifest/platform-match.ts';
import type { ImageSource } from '../place/place.ts';
import { readSmall } from '../place/read-document.ts';
import type { Client } from './client.ts';

/** Warns when `root`, which `store` has by now, is one image and not for the client's platform. `name` is for the message. */
export async function warnIfForeign(
  client: Client,
  store: ImageSource,
  { name, root }: { name: string; root: Descriptor },
): Promise<void> {
  if (!isManifestType(root.mediaType)) return;
  const document = parseDocument(await readSmall(store, root, client), { descriptor: root });
  if (document.kind !== 'manifest') return;
  const { config } = document.manifest;
  if (!isImageConfigType(config.mediaType) || config.size > MANIFEST_LIMIT) return;
  const platform = configFacts((await readSmall(store, config, client)).toString())?.platform;
  const wanted = (await client.platform()) ?? hostPlatform();
  if (platform === undefined || matchesPlatform(wanted, platform)) return;
  const message = `${name} is for ${formatPlatform(platform)}, not for ${formatPlatform(wanted)}, and has no other platform`;
  client.onProgress?.({ type: 'warning', message });
}
