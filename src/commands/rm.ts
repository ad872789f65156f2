import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { remove } from '../client/remove.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';

export default class Rm extends OciCommand<typeof Rm> {
  static override usage = 'rm docker://NAME... [FLAGS]';
  static override summary = 'Delete manifests or tags at a registry';
  static override description =
    'docker://NAME@DIGEST deletes the manifest, and so every tag of it; docker://NAME:TAG deletes the tag alone, which not every registry does. There is no way back. Names in the store are taken away with `untag`.';
  static override examples = [
    '<%= config.bin %> rm docker://localhost:5000/app:old',
    '<%= config.bin %> rm docker://localhost:5000/app@sha256:…',
  ];
  static override strict = false;
  static override args = {
    name: Args.string({
      name: 'NAME',
      required: true,
      description: 'docker://NAME:TAG or docker://NAME@DIGEST',
    }),
  };

  protected async execute({ argv, client, answer }: Session<typeof Rm>): Promise<void> {
    const removed: Reference[] = [];
    for (const name of argv) removed.push(await remove(client, name));
    const lines = removed.map(familiarReference);
    answer(
      lines.map((name) => ({ name })),
      () => lines,
    );
  }
}
