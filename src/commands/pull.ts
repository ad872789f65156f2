import { join } from 'node:path';
import { Args, Flags } from '@oclif/core';
import { registryName } from '../archive/image-name.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { limitFlags, networkFlags, rootlessFlag } from '../cli/flags.ts';
import { ownershipNote, takeOwnership } from '../cli/rootless.ts';
import { verifyFlags, verifying, verifyRuleOf } from '../cli/signer-flags.ts';
import { type PulledFiles, pullFiles } from '../client/artifact-pull.ts';
import { pull } from '../client/pull.ts';
import { unpack } from '../client/unpack.ts';
import { OciError } from '../errors.ts';
import { familiarReference, withDigest } from '../reference/reference.ts';
import { describeUnpacked } from '../ui/describe-unpacked.ts';
import { printable } from '../ui/format.ts';

export default class Pull extends OciCommand<typeof Pull> {
  static override usage = 'pull IMAGE... [FLAGS]';
  static override summary = 'Pull images from their registries into the store';
  static override description =
    'Always asks the registry what the name stands for now. Layers are fetched in parallel, the largest first; what the store has is not fetched again, and an interrupted pull goes on where it stopped. Prints NAME@DIGEST for each image.';
  static override examples = [
    '<%= config.bin %> pull alpine:3.20',
    '<%= config.bin %> pull --platform linux/arm64 microsoft/dotnet:2.1-aspnetcore-runtime-alpine',
    '<%= config.bin %> pull --unpack ./rootfs alpine:3.20',
    '<%= config.bin %> pull --output ./out localhost:5000/app@sha256:…',
    '<%= config.bin %> pull --verify --public-key cosign.pub ghcr.io/acme/app:1',
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
    output: Flags.string({
      char: 'o',
      helpValue: 'DIR',
      exclusive: ['unpack', 'all-platforms', 'referrers'],
      summary: 'Write the files of an artifact to DIR, by their titles, and nothing to the store (one IMAGE)',
    }),
    force: Flags.boolean({ dependsOn: ['output'], summary: 'Replace files that are there' }),
    ...networkFlags,
    rootless: rootlessFlag({ dependsOn: ['unpack'] }),
    'max-bytes': { ...limitFlags['max-bytes'], dependsOn: ['unpack'] },
    'max-entries': { ...limitFlags['max-entries'], dependsOn: ['unpack'] },
    ...verifyFlags,
  };

  protected async execute({ argv, flags, answer, note, ...session }: Session<typeof Pull>): Promise<void> {
    const use = { onePlatform: !flags['all-platforms'] };
    const client = await verifying(session.client, await verifyRuleOf(flags), use);
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
    if (flags.output !== undefined) {
      const [image, more] = argv;
      if (image === undefined || more !== undefined) throw new OciError('USAGE', '--output takes one image');
      const { force, concurrency, output } = flags;
      const artifact = await pullFiles(client, image, output, { force, concurrency });
      answer(artifactJson(artifact, output), () =>
        artifact.files.map(({ title }) => printable(join(output, title))),
      );
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

function artifactJson({ name, digest, artifactType, files, transferred }: PulledFiles, dir: string): object {
  return {
    name,
    digest,
    artifactType,
    files: files.map(({ title, descriptor, isDirectory }) => ({
      path: join(dir, title),
      title,
      mediaType: descriptor.mediaType,
      digest: descriptor.digest,
      size: descriptor.size,
      isDirectory,
    })),
    transferredBytes: transferred,
  };
}
