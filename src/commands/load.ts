import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { copiedJson, copiedLine, transferFlags, transferOptions } from '../cli/transfer-flags.ts';
import { load } from '../client/load.ts';

export default class Load extends OciCommand<typeof Load> {
  static override usage = 'load ARCHIVE [NAME] [FLAGS]';
  static override summary = 'Load the images of an archive or OCI layout into the store';
  static override description =
    'Takes what docker save, podman save, buildx, skopeo and `ocitool save` write, compressed or not: all images by the names they have there, or one as NAME. Prints NAME@DIGEST for each.';
  static override examples = [
    '<%= config.bin %> load alpine.tar',
    '<%= config.bin %> load oci:layout:3.20 alpine:3.20',
    'docker save app:1 | <%= config.bin %> load -',
  ];
  static override args = {
    archive: Args.string({
      name: 'ARCHIVE',
      required: true,
      description: 'a file or directory, - for stdin, or oci:, oci-archive:, docker-archive: with a name',
    }),
    name: Args.string({ name: 'NAME', description: 'the name in the store' }),
  };
  static override flags = {
    referrers: transferFlags.referrers,
    'all-platforms': Flags.boolean({
      summary: 'All of each image, or fail. Default: all that the archive has',
    }),
  };

  protected async execute({ args, flags, client, answer }: Session<typeof Load>): Promise<void> {
    const loaded = await load(client, args.archive, args.name, transferOptions(flags));
    answer(loaded.map(copiedJson), () => loaded.map(copiedLine));
  }
}
