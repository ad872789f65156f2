import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { wait } from '../client/containers.ts';
import { exitCodeOf } from '../runner/processes.ts';

export default class Wait extends OciCommand<typeof Wait> {
  static override usage = 'wait CONTAINER... [FLAGS]';
  static override summary = 'Wait for containers to end, and print their exit codes';
  static override description = '128 and more is a signal, as in a shell; 125 an end that nobody saw.';
  static override examples = ['<%= config.bin %> wait job'];
  static override strict = false;
  static override args = {
    container: Args.string({ name: 'CONTAINER', required: true, description: 'name, id, or its beginning' }),
  };

  protected async execute({ argv, client, answer, flags }: Session<typeof Wait>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const ends = await Promise.all(
      argv.map(async (name) => ({ name, code: exitCodeOf(await wait(client, name)) })),
    );
    answer(ends, () => ends.map(({ code }) => String(code)));
  }
}
