import { Readable } from 'node:stream';
import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { logs } from '../client/logs.ts';

export default class Logs extends OciCommand<typeof Logs> {
  static override usage = 'logs CONTAINER [FLAGS]';
  static override summary = 'Print what a detached container has written';
  static override description =
    'Both its streams, in the order they were written. What runs in the foreground writes to the terminal and has no log.';
  static override examples = ['<%= config.bin %> logs --tail 20 web', '<%= config.bin %> logs -f web'];
  static override args = {
    container: Args.string({ name: 'CONTAINER', required: true, description: 'name, id, or its beginning' }),
  };
  static override flags = {
    follow: Flags.boolean({ char: 'f', summary: 'Go on until the container ends' }),
    tail: Flags.integer({ min: 0, helpValue: 'N', summary: 'Only the last N lines of what is there' }),
  };

  protected async execute({ args, flags, client, write }: Session<typeof Logs>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    await write(Readable.from(await logs(client, args.container, flags)));
  }
}
