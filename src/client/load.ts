// Load: the images of an archive or layout into the store.
import type { Archive } from '../archive/archive.ts';
import { boxNames } from '../archive/box-names.ts';
import { parseImageSource } from '../archive/image-name.ts';
import { openArchive, openOciLayout } from '../archive/open.ts';
import { createCopier } from '../copy/copier.ts';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseName } from './image-argument.ts';
import { withStoreReferrers } from './layout-referrers.ts';
import { type CopiedImage, nameText, type PlatformOptions, selectionOf, withReferrers } from './transfer.ts';

const BOX = /^(?:oci|oci-archive|docker-archive):/;

export interface LoadOptions extends PlatformOptions {
  /** Also what refers to the images. Default false. */
  referrers?: boolean | undefined;
}

/**
 * Loads `archive`: `oci:DIR`, `oci-archive:FILE`, `docker-archive:FILE`, or a plain path to any of them; `-` is stdin. All
 * its images by their names there, or the chosen or only one as `name`.
 * Throws PATH_NOT_FOUND, ARCHIVE_INVALID, IMAGE_NOT_FOUND, USAGE (an image without a name), DIGEST_MISMATCH.
 */
export async function load(
  client: Client,
  archive: string,
  name?: string,
  options: LoadOptions = {},
): Promise<CopiedImage[]> {
  const as = name === undefined ? undefined : await parseName(client, name);
  const { box, selector } = await openBox(client, archive);
  try {
    const selection = { ...(await selectionOf(client, options)), index: 'kept' } as const;
    const { onProgress, signal } = client;
    const target = await client.store();
    const copying = { onProgress, signal, verb: 'loaded' } as const;
    const copier = createCopier(target, copying);
    const copied: CopiedImage[] = [];
    for (const { descriptor, reference } of await wanted(box, selector, as)) {
      const source = { ...box, resolve: async () => descriptor };
      const result = await copier.copy(source, reference, selection);
      const request = { source, root: descriptor, target, copied: result, name: reference, as: reference };
      const all = options.referrers === true ? await withReferrers(request, copying) : result;
      const image = { name: archive, reference, ...all };
      copied.push({ ...image, name: nameText(image) });
    }
    return copied;
  } finally {
    await box.close();
  }
}

type Selector = Parameters<Archive['resolveName']>[0];

async function openBox(client: Client, text: string): Promise<{ box: Archive; selector: Selector }> {
  const { signal } = client;
  if (text === '-') return { box: await openArchive('/dev/stdin', { signal }), selector: undefined };
  const name = BOX.test(text) ? parseImageSource(text) : undefined;
  if (name === undefined || !('path' in name)) {
    return { box: await openArchive(text, { signal }), selector: undefined };
  }
  const isEmpty = Object.keys(name.selector).length === 0;
  const box =
    name.transport === 'oci'
      ? withStoreReferrers(await openOciLayout(name.path), name.path)
      : await openArchive(name.path, { signal });
  return { box, selector: isEmpty ? undefined : name.selector };
}

async function wanted(
  box: Archive,
  selector: Selector,
  as: Reference | undefined,
): Promise<{ descriptor: Descriptor; reference: Reference }[]> {
  const names = await boxNames(box);
  if (selector !== undefined || as !== undefined || names.length === 0) {
    const descriptor = await box.resolveName(selector);
    const known = names.filter((one) => one.descriptor.digest === descriptor.digest);
    if (as !== undefined) return [{ descriptor, reference: as }];
    return known
      .slice(0, 1)
      .map(({ reference }) => ({ descriptor, reference: named(box, descriptor, reference) }));
  }
  return names.map(({ descriptor, reference }) => ({
    descriptor,
    reference: named(box, descriptor, reference),
  }));
}

function named(box: Archive, { digest }: Descriptor, reference: Reference | undefined): Reference {
  if (reference !== undefined) return reference;
  throw new OciError('USAGE', `${box.path}: the image ${digest} has no name in it that could be kept`, {
    hint: 'give it one: ocitool load ARCHIVE NAME; of several choose one with oci-archive:FILE@DIGEST',
  });
}
