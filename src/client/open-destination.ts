// From a DEST argument to a place to write to: a registry, an OCI layout, or an archive.
import type { BoxTarget } from '../archive/box-target.ts';
import type { ImageName } from '../archive/image-name.ts';
import type { ImageTarget } from '../place/place.ts';
import { type Reference, withDigest } from '../reference/reference.ts';
import type { Client } from './client.ts';
import { parseImage } from './image-argument.ts';
import type { OpenedSource } from './open-source.ts';

/** A place that images are copied to. Exactly one of `finish` and `discard` ends it. */
export interface OpenedDestination {
  target: ImageTarget;
  /** The name of an image there, when it came from `source`. */
  nameFor(source: OpenedSource): Promise<Reference>;
  /** It takes one platform of an image, no index. */
  singlePlatform: boolean;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

const nothing = async (): Promise<void> => {};

/**
 * Opens a destination, written as IMAGE is: a bare name and `docker://` are a registry's.
 * Throws INVALID_REFERENCE, USAGE, PERMISSION, STORE_INVALID (a directory of something else).
 */
export async function openDestination(client: Client, text: string): Promise<OpenedDestination> {
  const name = await parseImage(client, text);
  if (name.transport === 'docker' || name.transport === 'store-or-registry') {
    return await registryDestination(client, name.reference);
  }
  return await boxDestination(name);
}

export async function registryDestination(client: Client, reference: Reference): Promise<OpenedDestination> {
  const target = await client.repository(reference, 'push');
  return { target, nameFor: async () => reference, singlePlatform: false, finish: nothing, discard: nothing };
}

type BoxName = Extract<ImageName, { path: string }>;

async function boxDestination({ transport, path, selector }: BoxName): Promise<OpenedDestination> {
  if (transport !== 'oci') {
    const { createTarTarget } = await import('../archive/tar-target.ts');
    const docker = transport === 'docker-archive';
    return { ...newBox(createTarTarget(path, { docker, nameAs: selector.tag })), singlePlatform: docker };
  }
  const { createFolderTarget, isAbsentOrEmpty } = await import('../archive/folder-target.ts');
  if (isAbsentOrEmpty(path)) return newBox(createFolderTarget(path, selector.tag));
  // Others may be at it, too: the store knows how to share a layout.
  const { openStore } = await import('../blobstore/store.ts');
  const { parseReference } = await import('../reference/reference.ts');
  const given = selector.tag === undefined ? undefined : parseReference(selector.tag);
  return {
    target: await openStore(path),
    nameFor: async (source) => given ?? (await nameOf(source)) ?? unnamed(source),
    singlePlatform: false,
    finish: nothing,
    discard: nothing,
  };
}

function newBox(box: BoxTarget): OpenedDestination {
  return {
    target: box,
    nameFor: async (source) => (await nameOf(source)) ?? unnamed(source),
    singlePlatform: false,
    finish: () => box.finish(),
    discard: () => box.discard(),
  };
}

/** The name an image goes by where it is; undefined when that is no more than a tag, or nothing. */
export async function nameOf({ reference, source, root }: OpenedSource): Promise<Reference | undefined> {
  if (reference !== undefined) return reference;
  const { boxNames } = await import('../archive/box-names.ts');
  return (await boxNames(source)).find(({ descriptor }) => descriptor.digest === root.digest)?.reference;
}

/** Stands for an image that has no name: boxes and stores keep it by its digest. */
function unnamed({ root }: OpenedSource): Reference {
  return withDigest({ registry: 'localhost', repository: 'unnamed' }, root.digest);
}
