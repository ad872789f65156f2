import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { tag } from '../client/tag.ts';
import { familiarReference } from '../reference/reference.ts';

export default class Tag extends OciCommand<typeof Tag> {
  static override usage = 'tag IMAGE NAME [FLAGS]';
  static override summary = 'Give an image another name, in the store or at its registry';
  static override description =
    'A plain IMAGE is the store’s. docker://IMAGE gets another tag in its own repository at the registry, without its layers being fetched or sent. A name that is taken moves to the image.';
  static override examples = [
    '<%= config.bin %> tag alpine:3.20 localhost:5000/alpine:3.20',
    '<%= config.bin %> tag docker://localhost:5000/app:1.4.2 localhost:5000/app:1',
  ];
  static override args = {
    image: Args.string({ name: 'IMAGE', required: true, description: 'NAME in the store, or docker://NAME' }),
    name: Args.string({ name: 'NAME', required: true, description: 'the new name' }),
  };

  protected async execute({ args, client, answer }: Session<typeof Tag>): Promise<void> {
    const { descriptor, reference } = await tag(client, args.image, args.name);
    const name = familiarReference(reference);
    answer({ name, digest: descriptor.digest }, () => [`${name}@${descriptor.digest}`]);
  }
}
