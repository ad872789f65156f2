import { Args, Flags } from '@oclif/core';
import { registryName } from '../archive/image-name.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { limitFlags, rootlessFlag } from '../cli/flags.ts';
import { ownershipNote, takeOwnership } from '../cli/rootless.ts';
import { pull } from '../client/pull.ts';
import { unpack } from '../client/unpack.ts';
import { OciError } from '../errors.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';
import { describeUnpacked } from '../ui/describe-unpacked.ts';

export default class Pull extends OciCommand<typeof Pull> {
  static override usage = 'pull IMAGE... [FLAGS]';
  static override summary = 'Pull images from their registries into the store';
  static override description =
    'Always asks the registry what the name stands for now. Layers are fetched in parallel, the largest first; what the store has is not fetched again, and an interrupted pull goes on where it stopped. Prints NAME@DIGEST for each image.';
  static override examples = [
    '<%= config.bin %> pull alpine:3.20',
    '<%= config.bin %> pull --platform linux/arm64 microsoft/dotnet:2.1-aspnetcore-runtime-alpine',
    '<%= config.bin %> pull --unpack ./rootfs alpine:3.20',
    '<%= config.bin %> pull --all-platforms localhost:5000/app:1 localhost:5000/app:2',
  ];
  static override strict = false;
  static override args = {
    image: Args.string({ name: 'IMAGE', required: true, description: 'one or more image names' }),
  };
  static override flags = {
    'all-platforms': Flags.boolean({ summary: 'Everything the image has, not only one platform' }),
    referrers: Flags.boolean({
      exclusive: ['unpack'],
      summary: 'Also what refers to the image: signatures, SBOMs, attachments',
    }),
    concurrency: Flags.integer({
      min: 1,
      max: 64,
      default: 6,
      helpValue: 'N',
      summary: 'Blobs in flight per registry',
    }),
    unpack: Flags.string({
      helpValue: 'DIR',
      exclusive: ['all-platforms', 'concurrency'],
      summary: 'Also write the root file system to DIR, while the layers arrive (one IMAGE)',
    }),
    rootless: rootlessFlag({ dependsOn: ['unpack'] }),
    'max-bytes': { ...limitFlags['max-bytes'], dependsOn: ['unpack'] },
    'max-entries': { ...limitFlags['max-entries'], dependsOn: ['unpack'] },
  };

  protected async execute({ argv, flags, client, answer, note }: Session<typeof Pull>): Promise<void> {
    if (flags.unpack !== undefined) {
      const [image, more] = argv;
      if (image === undefined || more !== undefined) {
        throw new OciError('USAGE', '--unpack takes one image', {
          hint: 'unpack others with: ocitool unpack IMAGE DIR',
        });
      }
      const ownership = takeOwnership(flags.rootless);
      const unpacked = await unpack(client, `docker://${registryName(image)}`, flags.unpack, { ownership });
      const owners = ownershipNote(unpacked.destination);
      if (owners !== undefined) note(owners);
      answer(unpacked, () => [describeUnpacked(unpacked)]);
      return;
    }
    const pulled = await pull(client, argv, {
      allPlatforms: flags['all-platforms'],
      referrers: flags.referrers,
      concurrency: flags.concurrency,
    });
    answer(
      pulled.map(({ name, root, manifests, referrers, transferred, reused }) => ({
        name,
        digest: root.digest,
        mediaType: root.mediaType,
        manifests: manifests.map(({ digest }) => digest),
        referrers,
        transferredBytes: transferred,
        reusedBytes: reused,
      })),
      () => pulled.map(({ reference, root }) => familiarReference(withDigest(reference, root.digest))),
    );
  }
}
