import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { digest } from '../client/documents.ts';

export default class DigestCommand extends OciCommand<typeof DigestCommand> {
  static override usage = 'digest IMAGE [FLAGS]';
  static override summary = 'Print the digest an image name stands for';
  static override description =
    'Of the index for a multi-platform image; with --platform, of that platform’s manifest. Asks the registry with HEAD, which counts against no pull limit.';
  static override examples = [
    '<%= config.bin %> digest docker://alpine:3.20',
    '<%= config.bin %> digest --platform linux/arm64 alpine:3.20',
  ];
  static override args = { image: imageArg };

  protected async execute({ args, client, answer }: Session<typeof DigestCommand>): Promise<void> {
    const found = await digest(client, args.image);
    answer({ name: args.image, digest: found }, () => [found]);
  }
}
