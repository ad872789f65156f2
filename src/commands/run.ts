import { Flags } from '@oclif/core';
import type { Session } from '../cli/command.ts';
import { enterHolder, handedOver, isOutside } from '../cli/enter-holder.ts';
import { imageArg } from '../cli/flags.ts';
import { ProcessCommand } from '../cli/process-command.ts';
import { runFlags, runRequest } from '../cli/run-flags.ts';
import type { Client } from '../client/client.ts';
import { run } from '../client/run.ts';
import { bringImage, PULL_POLICIES } from '../client/run-image.ts';
import { listen, stopListening } from '../runner/network/listen.ts';
import { networksOf } from '../runner/network/networks.ts';
import type { RunRequest } from '../runner/spec/run-request.ts';

export default class Run extends ProcessCommand<typeof Run> {
  static override usage = 'run [FLAGS] IMAGE [COMMAND...]';
  static override summary = 'Run a command in a container of an image';
  static override description =
    "Flags come before IMAGE; what follows it is the command's. The image is pulled if the store lacks it. The exit code is the command's own; 125 is a failure of ocitool's, 126 a command that cannot be executed, 127 one that is not there, 128 and more a signal. A container in the foreground ends with this command; one with --detach goes on without.";
  static override examples = [
    '<%= config.bin %> run --rm alpine:3.20 cat /etc/os-release',
    '<%= config.bin %> run --rm -it alpine:3.20 sh',
    '<%= config.bin %> run -d --name web -p 8080:80 nginx:1.27',
  ];
  static override args = { image: imageArg };
  static override flags = {
    ...runFlags,
    pull: Flags.option({ options: PULL_POLICIES })({
      default: 'missing',
      summary: 'When to ask the registry: if the store lacks the image, always, or never',
    }),
  };

  protected async execute({ args, flags, client, answer, endProgress }: Session<typeof Run>): Promise<void> {
    const { image } = args;
    const request = runRequest(flags, this.command, { env: process.env, cwd: process.cwd() });
    if (isOutside() && (await this.#inside(image, request, flags, client))) return;
    const published = handedOver();
    const pull = published === undefined ? flags.pull : 'never';
    if (request.detach) {
      const { id, name, release } = await run(client, image, request, { pull, published });
      release();
      answer({ id, name }, () => [id]);
      return;
    }
    const { terminal, interactive } = request;
    await this.attend({ terminal, keys: terminal && interactive }, (window) =>
      run(client, image, request, { pull, published, window, onStart: endProgress }),
    );
  }

  /** What only the user's own network reaches is done before: the image, and the ports. */
  async #inside(
    image: string,
    request: RunRequest,
    { store, pull }: Session<typeof Run>['flags'],
    client: Client,
  ): Promise<boolean> {
    const published = listen(request.publish);
    try {
      await bringImage(client, image, pull);
      const hostNetwork = networksOf(request.networks) === 'host';
      return await enterHolder({ store, start: true, hostNetwork, published });
    } finally {
      stopListening(published);
    }
  }
}
