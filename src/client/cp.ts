// Cp: a file or directory out of an image onto this machine, without unpacking the rest.
import type { Digest } from '../reference/digest.ts';
import { type CopyOutResult, type CopyToDiskOptions, copyOut } from '../rootfs/copy-out.ts';
import { unpackWarnings } from '../rootfs/unpack-warnings.ts';
import type { Client } from './client.ts';
import { openTree } from './open-tree.ts';

/** Options of `cp`. */
export type CpOptions = Pick<CopyToDiskOptions, 'force' | 'followLink'>;

/** What was copied. */
export interface CopiedFiles extends Omit<CopyOutResult, 'losses'> {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
  /** What could not be done as the image says; one line each. */
  warnings: string[];
}

/** Copies `path` of the image to `destination`, as `copyOut` says. Throws as that, and as `openTree`. */
export async function cp(
  client: Client,
  image: string,
  path: string,
  destination: string,
  options: CpOptions = {},
): Promise<CopiedFiles> {
  const opened = await openTree(client, image);
  try {
    const { name, descriptor, layers } = opened.image;
    const { losses, ...copied } = await copyOut(opened.tree, layers, path, destination, {
      ...options,
      signal: client.signal,
    });
    // That a copy is its maker's is what a normal user expects.
    const owners = process.geteuid?.() === 0 ? losses.owners : 0;
    const warnings = unpackWarnings({ ...losses, owners });
    for (const message of warnings) client.onProgress?.({ type: 'warning', message });
    return { name, digest: descriptor.digest, ...copied, warnings };
  } finally {
    await opened.close();
  }
}
