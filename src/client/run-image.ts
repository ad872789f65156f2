// The image that `run` was given: what it says of how to be run, and its root file system as a tree to run on. Of an
// image that ran before, both are at hand and none of its documents is read.
import { storePaths } from '../blobstore/paths.ts';
import { isOciError, OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import { familiarReference, formatReference, type Reference } from '../reference/reference.ts';
import {
  ensureTree,
  oneIdTree,
  type PreparedImage,
  readPrepared,
  savePrepared,
  treeName,
} from '../runner/rootfs/trees.ts';
import type { Client } from './client.ts';
import { parseImage } from './image-argument.ts';

/** When the registry is asked. */
export const PULL_POLICIES = ['missing', 'always', 'never'] as const;
export type PullPolicy = (typeof PULL_POLICIES)[number];

export interface RunnableImage extends PreparedImage {
  /** As people write it. */
  name: string;
  /** Makes sure that the tree is there. */
  ensureTree(): Promise<void>;
}

/** An image that is on this machine. */
export interface BroughtImage {
  /** As it was asked for. */
  image: string;
  /** In the store; absent for an archive, which is read where it is. */
  stored?: { reference: Reference; root: Digest };
}

/**
 * Sees to it that the image is on this machine, by the policy. Throws IMAGE_NOT_FOUND, USAGE for a name that cannot be
 * one, and what a pull throws.
 */
export async function bringImage(client: Client, image: string, policy: PullPolicy): Promise<BroughtImage> {
  const name = await parseImage(client, image);
  if ('path' in name) return { image };
  const { reference } = name;
  const ask = policy === 'always' || (name.transport === 'docker' && policy !== 'never');
  const known = ask ? undefined : await stored(client, reference);
  if (known !== undefined) return { image, stored: { reference, root: known } };
  if (policy === 'never') {
    const familiar = familiarReference(reference);
    throw new OciError('IMAGE_NOT_FOUND', `${familiar}: not in the store, and --pull never`, {
      hint: `get it with: ocitool pull ${familiar}`,
    });
  }
  const { pull } = await import('./pull.ts');
  // In full: a short name may be an alias of something else.
  await pull(client, formatReference(reference));
  const root = (await (await client.store()).resolve(reference)).digest;
  return { image, stored: { reference, root } };
}

/**
 * What running the image takes; `oneId`: this process's user namespace has one id only. Throws what reading the image
 * throws, and UNSUPPORTED for one of another system.
 */
export async function runnableImage(
  client: Client,
  { image, stored: found }: BroughtImage,
  oneId: boolean,
): Promise<RunnableImage> {
  if (found === undefined) return prepareImage(client, image, { oneId });
  const { reference, root } = found;
  const full = formatReference(reference);
  const paths = storePaths((await client.store()).dir);
  const prepared = (await client.platform()) === undefined ? readPrepared(paths, root) : undefined;
  if (prepared === undefined) return prepareImage(client, full, { oneId, root });
  checkSystem(prepared.os, image);
  const tree = oneId ? oneIdTree(prepared.tree) : prepared.tree;
  return {
    ...prepared,
    name: familiarReference(reference),
    tree,
    ensureTree: () => ensureTree(paths, tree, (path) => unpackTo(client, full, path), client.signal),
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

/** Reads the image's documents, and remembers what they say where `root` will be asked for again. */
async function prepareImage(
  client: Client,
  image: string,
  { oneId, root }: { oneId: boolean; root?: Digest },
): Promise<RunnableImage> {
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
    const tree = oneId ? oneIdTree(prepared.tree) : prepared.tree;
    return {
      ...prepared,
      name,
      tree,
      async ensureTree() {
        await ensureTree(paths, tree, (path) => unpackTo(client, image, path), client.signal);
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
