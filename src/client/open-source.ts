// From an IMAGE argument to a place to read it from: the store, a registry, or an archive.

import type { ImageName } from '../archive/image-name.ts';
import { openArchive, openOciLayout } from '../archive/open.ts';
import { isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ImageSource } from '../place/place.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseImage, parseName } from './image-argument.ts';
import { withStoreReferrers } from './layout-referrers.ts';

/** A place with the image it was opened for. */
export interface OpenedSource {
  /** The image as people write it. */
  name: string;
  from: 'store' | 'registry' | 'archive';
  /** Set unless it came from an archive. */
  reference: Reference | undefined;
  source: ImageSource;
  /** What the name stands for: an index or a manifest. */
  root: Descriptor;
  close(): Promise<void>;
}

const nothing = async (): Promise<void> => {};

/** Every place the image may be in, best first: a reader falls through to the next when one lacks what it needs. */
export async function* openSources(
  client: Client,
  image: string,
  options: { cheap?: boolean } = {},
): AsyncGenerator<OpenedSource, void> {
  const name = await parseImage(client, image);
  switch (name.transport) {
    case 'store-or-registry': {
      const stored = await openStored(client, name.reference);
      if (stored !== undefined) yield stored;
      yield await openRemote(client, name.reference, options.cheap);
      break;
    }
    case 'docker':
      yield await openRemote(client, name.reference, options.cheap);
      break;
    default:
      yield await openBox(client, image, name);
  }
}

/** The first place that has the image; `cheap` as in `resolve`. Throws IMAGE_NOT_FOUND and what the place throws. */
export async function openSource(
  client: Client,
  image: string,
  options: { cheap?: boolean } = {},
): Promise<OpenedSource> {
  for await (const opened of openSources(client, image, options)) return opened;
  throw new Error('openSources yields at least once or throws');
}

/** The image as the store has it; no registry is asked. Throws IMAGE_NOT_FOUND. */
export async function openStoredImage(client: Client, image: string | Reference): Promise<OpenedSource> {
  const reference = typeof image === 'string' ? await parseName(client, image) : image;
  const source = await client.store();
  const root = await source.resolve(reference, { signal: client.signal });
  return { name: familiarReference(reference), from: 'store', reference, source, root, close: nothing };
}

async function openStored(client: Client, reference: Reference): Promise<OpenedSource | undefined> {
  try {
    return await openStoredImage(client, reference);
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function openRemote(client: Client, reference: Reference, cheap?: boolean): Promise<OpenedSource> {
  const source = await client.repository(reference);
  const root = await source.resolve(reference, { signal: client.signal, cheap });
  return { name: familiarReference(reference), from: 'registry', reference, source, root, close: nothing };
}

type BoxName = Extract<ImageName, { path: string }>;

async function openBox(client: Client, image: string, name: BoxName): Promise<OpenedSource> {
  const archive =
    name.transport === 'oci'
      ? withStoreReferrers(await openOciLayout(name.path), name.path)
      : await openArchive(name.path, { signal: client.signal });
  try {
    const root = await archive.resolveName(name.selector);
    return {
      name: image,
      from: 'archive',
      reference: undefined,
      source: archive,
      root,
      close: () => archive.close(),
    };
  } catch (error) {
    await archive.close();
    throw error;
  }
}
