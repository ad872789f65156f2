import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { untag } from '../client/tag.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';

export default class Untag extends OciCommand<typeof Untag> {
  static override usage = 'untag NAME... [FLAGS]';
  static override summary = 'Take names away and leave the images';
  static override description =
    'A plain NAME is the store’s: its blobs stay. docker://NAME:TAG takes the tag away at the registry, where that allows it, and leaves the manifest.';
  static override examples = [
    '<%= config.bin %> untag alpine:3.19',
    '<%= config.bin %> untag docker://localhost:5000/app:old',
  ];
  static override strict = false;
  static override args = {
    name: Args.string({ name: 'NAME', required: true, description: 'one or more names' }),
  };

  protected async execute({ argv, client, answer }: Session<typeof Untag>): Promise<void> {
    const names: Reference[] = [];
    for (const name of argv) names.push(await untag(client, name));
    const lines = names.map(familiarReference);
    answer(
      lines.map((name) => ({ name })),
      () => lines,
    );
  }
}
