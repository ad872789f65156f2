import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { kill } from '../client/containers.ts';

export default class Kill extends OciCommand<typeof Kill> {
  static override usage = 'kill CONTAINER... [FLAGS]';
  static override summary = 'Send a signal to the first process of containers';
  static override examples = ['<%= config.bin %> kill web', '<%= config.bin %> kill -s HUP web'];
  static override strict = false;
  static override args = {
    container: Args.string({ name: 'CONTAINER', required: true, description: 'name, id, or its beginning' }),
  };
  static override flags = {
    signal: Flags.string({ char: 's', default: 'KILL', helpValue: 'SIGNAL', summary: 'A name or a number' }),
  };

  protected async execute({ argv, flags, client, answer }: Session<typeof Kill>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const killed = [];
    for (const name of argv) killed.push((await kill(client, name, flags.signal)).record);
    answer(
      killed.map(({ id, name }) => ({ id, name })),
      () => argv,
    );
  }
}
