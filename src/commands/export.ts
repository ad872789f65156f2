import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { takeOwnership } from '../cli/rootless.ts';
import { EXPORT_FORMATS, exportImage, exportNeedsTree, exportStream } from '../client/export.ts';
import { OciError } from '../errors.ts';
import { formatBytes } from '../ui/format.ts';

export default class Export extends OciCommand<typeof Export> {
  static override usage = 'export IMAGE [FLAGS]';
  static override summary = "Write an image's flattened root file system as one file";
  static override description =
    'A tar, compressed or not, or a squashfs or erofs image (made by mksquashfs and mkfs.erofs, where installed). Owners, devices and attributes are the image’s, whoever runs it. Reproducible: the same image gives the same bytes.';
  static override examples = [
    '<%= config.bin %> export alpine:3.20 -o rootfs.tar.zst',
    '<%= config.bin %> export alpine:3.20 -o rootfs.squashfs',
    '<%= config.bin %> export alpine:3.20 | tar -tv | head',
  ];
  static override args = { image: imageArg };
  static override flags = {
    ...limitFlags,
    output: Flags.string({
      char: 'o',
      default: '-',
      helpValue: 'FILE',
      summary: 'Where to write; - is stdout',
    }),
    format: Flags.option({ options: EXPORT_FORMATS })({
      summary: "What to write. Default: what FILE's ending says, else tar",
    }),
  };

  protected async execute({ args, flags, client, answer, write }: Session<typeof Export>): Promise<void> {
    const { output, format } = flags;
    if (output === '-') {
      if (process.stdout.isTTY) {
        throw new OciError('USAGE', 'an archive is no sight for a terminal', {
          hint: 'write it to a file with -o FILE, or pipe it',
        });
      }
      const { stream, close } = await exportStream(client, args.image, { format });
      try {
        await write(stream);
      } finally {
        await close();
      }
      return;
    }
    // The tree between image and file has right owners in a user namespace only.
    if (await exportNeedsTree(output, format)) takeOwnership();
    const exported = await exportImage(client, args.image, output, { format });
    answer(exported, () => [
      `${output}: ${exported.name}, ${exported.format}, ${formatBytes(exported.size)}`,
    ]);
  }
}
