import { Args, Flags } from '@oclif/core';
import { parseImagePath } from '../archive/image-path.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { limitFlags } from '../cli/flags.ts';
import { cp } from '../client/cp.ts';
import { openTree } from '../client/open-tree.ts';
import { OciError } from '../errors.ts';
import { copyOutTar } from '../rootfs/copy-out.ts';
import { formatBytes, formatCount } from '../ui/format.ts';

export default class Cp extends OciCommand<typeof Cp> {
  static override usage = 'cp IMAGE:PATH DEST [FLAGS]';
  static override summary = 'Copy a file or directory out of an image';
  static override description =
    'Into DEST when it is a directory, else under that name; IMAGE:PATH/. is what is in the directory. With - as DEST, a tar goes to stdout. Nothing that is there is merged into or replaced, but for a single file with --force. As root, owners, devices and extended attributes are as the image says; else everything is yours.';
  static override examples = [
    '<%= config.bin %> cp alpine:3.20:/etc/ssl ./ssl',
    '<%= config.bin %> cp --follow-link alpine:3.20:/etc/os-release .',
    '<%= config.bin %> cp oci:./layout:latest:/usr/lib - | tar -t',
  ];
  static override args = {
    source: Args.string({
      name: 'IMAGE:PATH',
      required: true,
      description: 'IMAGE as anywhere, a colon, and a path from its root with the slash: alpine:3.20:/etc',
    }),
    dest: Args.string({ name: 'DEST', required: true, description: 'a place on this machine; - is stdout' }),
  };
  static override flags = {
    ...limitFlags,
    force: Flags.boolean({ summary: 'Replace a file that is there' }),
    'follow-link': Flags.boolean({
      char: 'L',
      summary: 'Copy what a symlink at the end of PATH leads to, not the link',
    }),
  };

  protected async execute({ args, flags, client, signal, answer, write }: Session<typeof Cp>): Promise<void> {
    const { image, path } = parseImagePath(args.source);
    const followLink = flags['follow-link'];
    if (args.dest !== '-') {
      const copied = await cp(client, image, path, args.dest, { force: flags.force, followLink });
      answer(copied, () => [
        `${copied.destination}: ${formatCount(copied.entries)} ${copied.entries === 1 ? 'entry' : 'entries'}, ${formatBytes(copied.bytes)}`,
      ]);
      return;
    }
    if (process.stdout.isTTY) {
      throw new OciError('USAGE', 'a tar archive is no sight for a terminal', {
        hint: 'pipe it, or name a place for the files',
      });
    }
    const opened = await openTree(client, image);
    try {
      await write(copyOutTar(opened.tree, opened.image.layers, path, { followLink, signal }));
    } finally {
      await opened.close();
    }
  }
}
