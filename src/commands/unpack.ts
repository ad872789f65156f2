import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { unpack } from '../client/unpack.ts';
import { formatBytes, formatCount } from '../ui/format.ts';

export default class Unpack extends OciCommand<typeof Unpack> {
  static override usage = 'unpack IMAGE DIR [FLAGS]';
  static override summary = "Write an image's root file system to a directory";
  static override description =
    'Layers are unpacked in parallel and checked on the way; the directory appears whole at the end or not at all. What only a registry has is pulled into the store first. As root, owners, devices and extended attributes are as the image says; as another user everything is yours and what cannot be made is counted in one warning.';
  static override examples = [
    '<%= config.bin %> unpack microsoft/dotnet:2.1-aspnetcore-runtime-alpine ./rootfs',
    '<%= config.bin %> unpack --platform linux/arm64 oci-archive:image.tar ./rootfs',
  ];
  static override args = {
    image: imageArg,
    dir: Args.string({ name: 'DIR', required: true, description: 'absent, or an empty directory' }),
  };
  static override flags = {
    ...limitFlags,
    force: Flags.boolean({ summary: 'Replace what is in DIR' }),
  };

  protected async execute({ args, flags, client, answer }: Session<typeof Unpack>): Promise<void> {
    const result = await unpack(client, args.image, args.dir, { force: flags.force });
    const sum = (key: 'entries' | 'unpackedSize'): number =>
      result.layers.reduce((total, layer) => total + layer[key], 0);
    answer(result, () => [
      `${args.dir}: ${result.name}, ${formatCount(result.layers.length)} ${result.layers.length === 1 ? 'layer' : 'layers'}, ${formatCount(sum('entries'))} entries, ${formatBytes(sum('unpackedSize'))}`,
    ]);
  }
}
