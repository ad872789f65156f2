import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../../cli/command.ts';
import { enterHolder } from '../../cli/enter-holder.ts';
import { removeNetworks } from '../../client/networks.ts';

export default class NetworkRm extends OciCommand<typeof NetworkRm> {
  static override usage = 'network rm NAME... [FLAGS]';
  static override summary = 'Remove networks that no container is on';
  static override examples = ['<%= config.bin %> network rm backend'];
  static override strict = false;
  static override args = {
    name: Args.string({ name: 'NAME', required: true, description: 'one or more names' }),
  };

  protected async execute({ argv, flags, client, answer }: Session<typeof NetworkRm>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const removed = await removeNetworks(client, argv);
    answer(
      removed.map((name) => ({ name })),
      () => removed,
    );
  }
}
