import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { manifest } from '../client/documents.ts';

export default class Manifest extends OciCommand<typeof Manifest> {
  static override usage = 'manifest IMAGE [FLAGS]';
  static override summary = 'Print the raw manifest or index of an image';
  static override description =
    'Byte for byte as it is stored, so that its digest can be computed from the output. With --platform, the manifest of that platform.';
  static override examples = [
    '<%= config.bin %> manifest alpine:3.20',
    '<%= config.bin %> manifest docker://alpine:3.20 | sha256sum',
  ];
  static override args = { image: imageArg };

  protected async execute({ args, flags, client, answer, write }: Session<typeof Manifest>): Promise<void> {
    const { descriptor, raw } = await manifest(client, args.image);
    if (flags.json) {
      const document: unknown = JSON.parse(raw.toString('utf8'));
      answer({ ...descriptor, document }, () => []);
    } else await write(raw);
  }
}
