// What the commands that copy images share: their flags, and how they tell what was copied.
import { Args, Flags } from '@oclif/core';
import type { CopiedImage, TransferOptions } from '../client/transfer.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';
import { networkFlags } from './flags.ts';

export const transferFlags = {
  ...networkFlags,
  'all-platforms': Flags.boolean({
    summary: 'All of the image as it is, same digest, or fail. Default: all that the source has',
  }),
  referrers: Flags.boolean({ summary: 'Also what refers to the image: signatures, SBOMs, attachments' }),
  concurrency: Flags.integer({ min: 1, max: 64, default: 6, helpValue: 'N', summary: 'Blobs in flight' }),
};

/** Where an image goes. */
export const destinationArg = Args.string({
  name: 'DEST',
  required: true,
  description:
    'NAME[:TAG] of a registry, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]',
});

/** `--platform a,b` and the flags above as options. */
export function transferOptions(flags: {
  platform?: string | undefined;
  'all-platforms'?: boolean;
  referrers?: boolean;
  concurrency?: number;
}): TransferOptions {
  return {
    platforms: flags.platform?.split(','),
    allPlatforms: flags['all-platforms'],
    referrers: flags.referrers,
    concurrency: flags.concurrency,
  };
}

/** One image of the answer with --json. */
export function copiedJson(image: CopiedImage): object {
  const { name, reference, root, manifests, referrers, transferred, reused } = image;
  return {
    name,
    destination: reference.tag === undefined ? undefined : familiarReference(reference),
    digest: root.digest,
    mediaType: root.mediaType,
    manifests: manifests.map(({ digest }) => digest),
    referrers,
    transferredBytes: transferred,
    reusedBytes: reused,
  };
}

/** `NAME@DIGEST`, or the digest alone of an image without a name. */
export function copiedLine({ reference, root }: CopiedImage): string {
  return reference.tag === undefined ? root.digest : familiarReference(withDigest(reference, root.digest));
}
