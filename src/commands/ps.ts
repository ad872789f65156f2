import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { containers } from '../client/containers.ts';
import { containerTable } from '../ui/container-table.ts';

export default class Ps extends OciCommand<typeof Ps> {
  static override usage = 'ps [FLAGS]';
  static override summary = 'List containers';
  static override description =
    '--json has more: the protections the runtime cannot give on this machine, networks and addresses, labels. `unmonitored` is a container whose monitor was killed, `dead` one whose end nobody saw; `rm --force` removes either.';
  static override examples = ['<%= config.bin %> ps -a', '<%= config.bin %> ps --json'];
  static override flags = {
    all: Flags.boolean({ char: 'a', summary: 'Those that have ended, too' }),
  };

  protected async execute({ client, flags, answer, width }: Session<typeof Ps>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const listed = await containers(client, { all: flags.all });
    answer(listed, () => containerTable(listed, width));
  }
}
