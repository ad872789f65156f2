import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { openTree } from '../client/open-tree.ts';
import { listNames, listTree } from '../rootfs/look.ts';
import { describeNode, listingBytes } from '../ui/listing.ts';

export default class Ls extends OciCommand<typeof Ls> {
  static override usage = 'ls IMAGE [PATH] [FLAGS]';
  static override summary = 'List files of an image without unpacking it';
  static override description =
    'As ls -l shows them: mode, owner, size, time, name, and the layer each came from.';
  static override examples = [
    '<%= config.bin %> ls alpine:3.20 /etc',
    '<%= config.bin %> ls --recursive alpine:3.20 | grep musl',
  ];
  static override args = {
    image: imageArg,
    path: Args.string({ name: 'PATH', default: '/', description: 'a directory or file in the image' }),
  };
  static override flags = {
    ...limitFlags,
    recursive: Flags.boolean({ char: 'R', summary: 'Everything below PATH' }),
  };

  protected async execute({ args, flags, client, answer }: Session<typeof Ls>): Promise<void> {
    const opened = await openTree(client, args.image);
    try {
      const { tree, image } = opened;
      const { path } = args;
      const options = { recursive: flags.recursive };
      // Only what is printed is made.
      const json = {
        name: image.name,
        path,
        get entries() {
          return Array.from(listTree(tree, path, options), describeNode);
        },
      };
      answer(json, () => listingBytes(listNames(tree, path, options)));
    } finally {
      await opened.close();
    }
  }
}
