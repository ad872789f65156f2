import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { why } from '../client/why.ts';
import { formatBytes, shortDigest } from '../ui/format.ts';
import { formatTable } from '../ui/table.ts';

export default class Why extends OciCommand<typeof Why> {
  static override usage = 'why IMAGE PATH [FLAGS]';
  static override summary = 'Tell which layers put a path there, replaced it or deleted it';
  static override description =
    'With the instruction of each, as far as the image’s history tells. Symlinks on the way are followed inside the image; a symlink at the end is shown as what it is.';
  static override examples = ['<%= config.bin %> why alpine:3.20 /etc/os-release'];
  static override args = {
    image: imageArg,
    path: Args.string({ name: 'PATH', required: true, description: 'a path in the image' }),
  };
  static override flags = { ...limitFlags };

  protected async execute({ args, client, answer, width }: Session<typeof Why>): Promise<void> {
    const found = await why(client, args.image, args.path);
    answer(found, () => [
      found.path,
      ...formatTable(
        [
          { title: '#', align: 'right' },
          { title: 'LAYER' },
          { title: 'CHANGE' },
          { title: 'WHAT', flexible: true },
          { title: 'SIZE', align: 'right' },
          { title: 'INSTRUCTION', flexible: true },
        ],
        found.steps.map(({ layer, digest, change, kind, target, size, instruction }) => [
          String(layer),
          shortDigest(digest),
          change,
          target === undefined ? kind : `symlink to ${target}`,
          kind === 'file' ? formatBytes(size) : '-',
          instruction ?? '',
        ]),
        { width },
      ),
    ]);
  }
}
