// The documents behind a name as they are: the raw bytes of a manifest, an index or a config, and the digest.
import type { Descriptor } from '../manifest/descriptor.ts';
import { readSmall } from '../place/read-document.ts';
import type { Digest } from '../reference/digest.ts';
import type { Client } from './client.ts';
import { openImage } from './open-image.ts';
import { openSource } from './open-source.ts';

/** A document's bytes with the descriptor they were verified against. */
export interface RawDocument {
  descriptor: Descriptor;
  raw: Buffer;
}

/** What `image` stands for: the index of a multi-platform image, unless the client asks for one platform. */
export async function manifest(client: Client, image: string): Promise<RawDocument> {
  if ((await client.platform()) !== undefined) {
    const opened = await openImage(client, image);
    try {
      return {
        descriptor: opened.descriptor,
        raw: await readSmall(opened.source, opened.descriptor, client),
      };
    } finally {
      await opened.close();
    }
  }
  const opened = await openSource(client, image);
  try {
    return { descriptor: opened.root, raw: await readSmall(opened.source, opened.root, client) };
  } finally {
    await opened.close();
  }
}

/** The config of the image for the client's platform. */
export async function rawConfig(client: Client, image: string): Promise<RawDocument> {
  const opened = await openImage(client, image);
  try {
    const descriptor = opened.manifest.config;
    return { descriptor, raw: await readSmall(opened.source, descriptor, client) };
  } finally {
    await opened.close();
  }
}

/** The digest of what `manifest` would give; a registry is asked with a HEAD, which counts against no pull limit. */
export async function digest(client: Client, image: string): Promise<Digest> {
  if ((await client.platform()) !== undefined) {
    const opened = await openImage(client, image);
    await opened.close();
    return opened.descriptor.digest;
  }
  const opened = await openSource(client, image, { cheap: true });
  await opened.close();
  return opened.root.digest;
}
