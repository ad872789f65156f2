import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { manifest, rawConfig } from '../client/documents.ts';
import { inspect } from '../client/inspect.ts';
import { describeImage } from '../ui/describe-image.ts';

export default class Inspect extends OciCommand<typeof Inspect> {
  static override usage = 'inspect IMAGE [FLAGS]';
  static override summary = 'Show what an image is and how it runs';
  static override description =
    'Digest, platforms, creation time, command, environment, ports, labels and layers. Nothing is pulled.';
  static override examples = [
    '<%= config.bin %> inspect alpine:3.20',
    '<%= config.bin %> inspect --config docker://ghcr.io/org/app:1',
    '<%= config.bin %> inspect --attestations docker://docker/buildx-bin',
    '<%= config.bin %> inspect --json oci-archive:image.tar',
  ];
  static override args = { image: imageArg };
  static override flags = {
    raw: Flags.boolean({ summary: 'Print the raw manifest or index', exclusive: ['config'] }),
    attestations: Flags.boolean({
      exclusive: ['raw', 'config'],
      summary: 'Also read the SBOM and the provenance that the image carries (claims of whoever pushed it)',
    }),
    config: Flags.boolean({ summary: "Print the image's raw config" }),
  };

  protected async execute({
    args,
    flags,
    client,
    answer,
    write,
    width,
  }: Session<typeof Inspect>): Promise<void> {
    if (flags.raw || flags.config) {
      const { raw } = await (flags.raw ? manifest : rawConfig)(client, args.image);
      await write(raw);
      return;
    }
    const info = await inspect(client, args.image, { attestations: flags.attestations });
    answer(info, () => describeImage(info, width));
  }
}
