import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { stop } from '../client/containers.ts';

export default class Stop extends OciCommand<typeof Stop> {
  static override usage = 'stop CONTAINER... [FLAGS]';
  static override summary = 'Ask containers to end, and make them after a while';
  static override description =
    "The first signal is the image's StopSignal, or TERM; the second is KILL. A first process without a handler does not feel TERM: `run --init` helps.";
  static override examples = ['<%= config.bin %> stop web', '<%= config.bin %> stop -t 1 web db'];
  static override strict = false;
  static override args = {
    container: Args.string({ name: 'CONTAINER', required: true, description: 'name, id, or its beginning' }),
  };
  static override flags = {
    time: Flags.integer({
      char: 't',
      min: 0,
      default: 10,
      helpValue: 'SECONDS',
      summary: 'How long to wait before KILL',
    }),
  };

  protected async execute({ argv, flags, client, answer }: Session<typeof Stop>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const stopped = await Promise.all(argv.map((name) => stop(client, name, flags.time)));
    answer(
      stopped.map(({ record: { id, name } }) => ({ id, name })),
      () => argv,
    );
  }
}
