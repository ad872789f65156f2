import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags, networkFlags, rootlessFlag } from '../cli/flags.ts';
import { ownershipNote, takeOwnership } from '../cli/rootless.ts';
import { unpack } from '../client/unpack.ts';
import { describeUnpacked } from '../ui/describe-unpacked.ts';

export default class Unpack extends OciCommand<typeof Unpack> {
  static override usage = 'unpack IMAGE DIR [FLAGS]';
  static override summary = "Write an image's root file system to a directory";
  static override description =
    'Layers are unpacked in parallel and checked on the way; the directory appears whole at the end or not at all. What only a registry has is pulled into the store first. As root, owners, devices and extended attributes are as the image says. As another user with subordinate ids (subuid(5)) owners are those ids, as podman unshare shows them; without, everything is yours, and attributes record whose it is in the image.';
  static override examples = [
    '<%= config.bin %> unpack microsoft/dotnet:2.1-aspnetcore-runtime-alpine ./rootfs',
    '<%= config.bin %> unpack --platform linux/arm64 oci-archive:image.tar ./rootfs',
    '<%= config.bin %> unpack --bundle alpine:3.20 ./bundle && crun run --bundle ./bundle test',
  ];
  static override args = {
    image: imageArg,
    dir: Args.string({ name: 'DIR', required: true, description: 'absent, or an empty directory' }),
  };
  static override flags = {
    ...limitFlags,
    ...networkFlags,
    bundle: Flags.boolean({
      summary: 'Write a bundle for crun, runc or youki: DIR/config.json and DIR/rootfs',
    }),
    force: Flags.boolean({ summary: 'Replace what is in DIR' }),
    rootless: rootlessFlag(),
  };

  protected async execute({ args, flags, client, answer, note }: Session<typeof Unpack>): Promise<void> {
    const ownership = takeOwnership(flags.rootless);
    const { bundle, force } = flags;
    const result = await unpack(client, args.image, args.dir, { bundle, force, ownership });
    const owners = ownershipNote(result.destination);
    if (owners !== undefined) note(owners);
    answer(result, () => [describeUnpacked(result)]);
  }
}
