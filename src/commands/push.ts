import { Args } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { copiedJson, copiedLine, transferFlags, transferOptions } from '../cli/transfer-flags.ts';
import { push } from '../client/push.ts';

export default class Push extends OciCommand<typeof Push> {
  static override usage = 'push IMAGE [NAME] [FLAGS]';
  static override summary = 'Push an image of the store, or of an archive, to a registry';
  static override description =
    'To the registry the image names, or as NAME. What the registry has is not sent again, and a broken upload goes on where it stopped. Of a multi-platform image everything that the store has is pushed; --platform (several with commas) writes its index anew for those, attestations included. Prints NAME@DIGEST.';
  static override examples = [
    '<%= config.bin %> push localhost:5000/app:1',
    '<%= config.bin %> push alpine:3.20 ghcr.io/me/alpine:3.20',
    '<%= config.bin %> push oci-archive:app.tar registry.example.com/app:1',
  ];
  static override args = {
    image: Args.string({
      name: 'IMAGE',
      required: true,
      description: 'NAME in the store, oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]',
    }),
    name: Args.string({ name: 'NAME', description: 'the name at the registry' }),
  };
  static override flags = transferFlags;

  protected async execute({ args, flags, client, answer }: Session<typeof Push>): Promise<void> {
    const pushed = await push(client, args.image, args.name, transferOptions(flags));
    answer(copiedJson(pushed), () => [copiedLine(pushed)]);
  }
}
