import { Args } from '@oclif/core';
import type { Session } from '../cli/command.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { ProcessCommand } from '../cli/process-command.ts';
import { processFlags } from '../cli/run-flags.ts';
import { exec } from '../client/exec.ts';
import { OciError } from '../errors.ts';
import { parseEnv } from '../runner/spec/parse-env.ts';

export default class Exec extends ProcessCommand<typeof Exec> {
  static override usage = 'exec [FLAGS] CONTAINER COMMAND...';
  static override summary = 'Run a command in a running container';
  static override description =
    'With the environment, working directory and user of its first process, unless flags say otherwise. Exit codes are as with run.';
  static override examples = [
    '<%= config.bin %> exec web cat /etc/hosts',
    '<%= config.bin %> exec -it web sh',
  ];
  static override args = {
    container: Args.string({ name: 'CONTAINER', required: true, description: 'name, id, or its beginning' }),
  };
  static override flags = processFlags;

  protected async execute({ args, flags, client }: Session<typeof Exec>): Promise<void> {
    if (await enterHolder({ store: flags.store, start: false })) return;
    const { command } = this;
    if (command.length === 0) {
      throw new OciError('USAGE', 'no command', { hint: 'write it as: ocitool exec CONTAINER COMMAND' });
    }
    const { tty: terminal, interactive, user, workdir } = flags;
    const env = parseEnv(flags.env ?? [], flags['env-file'] ?? [], process.env);
    await this.attend({ terminal, keys: terminal && interactive }, (window) =>
      exec(client, args.container, { command, env, terminal, interactive, user, workdir }, window),
    );
  }
}
