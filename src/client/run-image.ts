// The image that `run` was given: what it says of how to be run, and its root file system as a tree to run on. Of an
// image that ran before, both are at hand and none of its documents is read.
import { parseImageSource } from '../archive/image-name.ts';
import { storePaths } from '../blobstore/paths.ts';
import { isOciError, OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import {
  ensureTree,
  type PreparedImage,
  readPrepared,
  savePrepared,
  treeName,
} from '../runner/rootfs/trees.ts';
import type { Client } from './client.ts';

/** When `run` asks the registry. */
export const PULL_POLICIES = ['missing', 'always', 'never'] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

export interface RunnableImage extends PreparedImage {
  /** As people write it. */
  name: string;
  /** Makes sure that the tree is there. */
  ensureTree(): Promise<void>;
}

/**
 * Brings the image to this machine if need be. Throws IMAGE_NOT_FOUND, what a pull and an unpack throw, and UNSUPPORTED
 * for an image of another architecture.
 */
export async function runnableImage(
  client: Client,
  image: string,
  policy: PullPolicy,
): Promise<RunnableImage> {
  const name = parseImageSource(image);
  if ('path' in name) {
    return prepareImage(client, image, undefined);
  }
  const reference = name.reference;
  const known =
    name.transport === 'docker' || policy === 'always' ? undefined : await stored(client, reference);
  if (known === undefined) await bring(client, reference, policy);
  const root = known ?? (await (await client.store()).resolve(reference)).digest;
  const paths = storePaths((await client.store()).dir);
  const prepared = (await client.platform()) === undefined ? readPrepared(paths, root) : undefined;
  if (prepared === undefined) return prepareImage(client, familiarReference(reference), root);
  checkSystem(prepared.os, image);
  return {
    ...prepared,
    name: familiarReference(reference),
    ensureTree: () =>
      ensureTree(paths, prepared.tree, (path) => unpackTo(client, familiarReference(reference), path)),
  };
}

async function stored(client: Client, reference: Reference): Promise<Digest | undefined> {
  try {
    return (await (await client.store()).resolve(reference)).digest;
  } catch (error) {
    if (isOciError(error, 'IMAGE_NOT_FOUND')) return undefined;
    throw error;
  }
}

async function bring(client: Client, reference: Reference, policy: PullPolicy): Promise<void> {
  const name = familiarReference(reference);
  if (policy === 'never') {
    throw new OciError('IMAGE_NOT_FOUND', `${name}: not in the store, and --pull never`, {
      hint: `get it with: ocitool pull ${name}`,
    });
  }
  const { pull } = await import('./pull.ts');
  await pull(client, name);
}

/** Reads the image's documents, and remembers what they say where `root` will be asked for again. */
async function prepareImage(client: Client, image: string, root: Digest | undefined): Promise<RunnableImage> {
  const { openImage } = await import('./open-image.ts');
  const opened = await openImage(client, image);
  try {
    const { config, descriptor, name } = opened;
    checkSystem(config.os, image);
    const prepared: PreparedImage = {
      version: 1,
      digest: descriptor.digest,
      os: config.os,
      architecture: config.architecture,
      config: config.config,
      tree: treeName(config.rootfs.diff_ids),
    };
    const store = await client.store();
    const paths = storePaths(store.dir);
    return {
      ...prepared,
      name,
      async ensureTree() {
        await ensureTree(paths, prepared.tree, (path) => unpackTo(client, image, path), client.signal);
        if (root !== undefined && (await client.platform()) === undefined)
          savePrepared(paths, root, prepared);
      },
    };
  } finally {
    await opened.close();
  }
}

async function unpackTo(client: Client, image: string, path: string): Promise<void> {
  const { unpack } = await import('./unpack.ts');
  await unpack(client, image, path);
}

/** The architecture is the command's: see spec/command.ts. */
function checkSystem(os: string, image: string): void {
  if (os === 'linux') return;
  throw new OciError('UNSUPPORTED', `${image}: an image for ${os}, which this machine cannot run`, {
    hint: 'choose another with --platform',
  });
}
