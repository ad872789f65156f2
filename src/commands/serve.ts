import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { serveStore } from '../serve/serve.ts';

export default class Serve extends OciCommand<typeof Serve> {
  static override usage = 'serve [FLAGS]';
  static override summary = 'Serve the store as a read-only OCI registry';
  static override description =
    'On the loopback interface unless --host says otherwise. docker.io/library/alpine:3.20 in the store is served as library/alpine:3.20. Prints its address on stderr when it is ready; Ctrl-C ends it.';
  static override examples = [
    '<%= config.bin %> serve --port 5000',
    'skopeo copy --src-tls-verify=false docker://127.0.0.1:5000/library/alpine:3.20 dir:alpine',
  ];
  static override flags = {
    port: Flags.integer({
      min: 0,
      max: 65_535,
      default: 5000,
      helpValue: 'PORT',
      summary: 'Where to listen; 0 takes any free port',
    }),
    host: Flags.string({ default: '127.0.0.1', helpValue: 'ADDRESS', summary: 'The address to listen on' }),
  };

  protected async execute({ flags, client, signal }: Session<typeof Serve>): Promise<void> {
    const server = await serveStore(await client.store(), { host: flags.host, port: flags.port });
    try {
      process.stderr.write(`listening on ${server.url}\n`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    } finally {
      await server.close();
    }
  }
}
