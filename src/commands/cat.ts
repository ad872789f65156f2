import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { openTree } from '../client/open-tree.ts';
import { readFile } from '../rootfs/look.ts';

export default class Cat extends OciCommand<typeof Cat> {
  static override usage = 'cat IMAGE PATH [FLAGS]';
  static override summary = 'Print a file of an image';
  static override description = 'Symlinks are followed inside the image.';
  static override examples = ['<%= config.bin %> cat alpine:3.20 /etc/os-release'];
  static override args = {
    image: imageArg,
    path: Args.string({ name: 'PATH', required: true, description: 'a file in the image' }),
  };
  static override flags = { ...limitFlags };

  protected async execute({ args, client, signal, write }: Session<typeof Cat>): Promise<void> {
    const opened = await openTree(client, args.image);
    try {
      await write(readFile(opened.tree, opened.image.layers, args.path, { signal }));
    } finally {
      await opened.close();
    }
  }
}
