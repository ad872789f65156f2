// Tag and untag: names of images, in the store or at a registry. No bytes of an image move.
import { type ImageName, registryName } from '../archive/image-name.ts';
import { OciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseImage, parseName } from './image-argument.ts';

/** A name given. */
export interface TaggedImage {
  descriptor: Descriptor;
  reference: Reference;
}

/**
 * Lets `name` stand for `image` too. `docker://IMAGE` gets another tag in its own repository; everything else is in the
 * store. Throws IMAGE_NOT_FOUND, USAGE, DENIED, UNAUTHORIZED.
 */
export async function tag(client: Client, image: string, name: string): Promise<TaggedImage> {
  const from = named(await parseImage(client, image), image);
  const reference = await parseName(client, name);
  if (reference.digest !== undefined) {
    throw new OciError('USAGE', `${name}: a tag cannot have a digest`, { hint: 'leave the digest out' });
  }
  const { signal } = client;
  if (from.transport === 'store-or-registry') {
    if (name !== registryName(name)) throw elsewhere(image, name);
    const store = await client.store();
    const descriptor = await store.resolve(from.reference, { signal });
    await store.tag(descriptor, reference);
    return { descriptor, reference };
  }
  const { registry, repository } = from.reference;
  if (reference.registry !== registry || reference.repository !== repository) throw elsewhere(image, name);
  const target = await client.repository(from.reference, 'push');
  const descriptor = await target.resolve(from.reference, { signal });
  await target.tag(descriptor, reference);
  return { descriptor, reference };
}

/**
 * Takes a name away and leaves the image: its blobs stay. Throws IMAGE_NOT_FOUND, USAGE, UNSUPPORTED (a registry that
 * does not delete tags), DENIED.
 */
export async function untag(client: Client, name: string): Promise<Reference> {
  const { transport, reference } = named(await parseImage(client, name), name);
  if (transport === 'docker') {
    if (reference.digest !== undefined) {
      throw new OciError('USAGE', `${name}: a digest is no tag`, {
        hint: `to delete the manifest, and so every tag of it: ocitool rm ${name}`,
      });
    }
    await (await client.repository(reference, 'push')).remove(reference);
  } else if (!(await (await client.store()).untag(reference))) {
    throw new OciError('IMAGE_NOT_FOUND', `${familiarReference(reference)}: not in the store`, {
      hint: 'see what there is with: ocitool images',
    });
  }
  return reference;
}

type Named = Extract<ImageName, { reference: Reference }>;

function named(name: ImageName, text: string): Named {
  if ('reference' in name) return name;
  throw new OciError('USAGE', `${text}: only names in the store and at registries can be changed`, {
    hint: 'copy the image under another name: ocitool copy SRC DEST',
  });
}

function elsewhere(image: string, name: string): OciError {
  return new OciError('USAGE', `${name}: not in the same place as ${image}`, {
    hint: `copy it there: ocitool copy ${image} ${name}`,
  });
}
