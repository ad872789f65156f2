import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { verifyFlags, verifyRuleOf } from '../cli/signer-flags.ts';
import {
  copiedJson,
  copiedLine,
  destinationArg,
  transferFlags,
  transferOptions,
} from '../cli/transfer-flags.ts';
import { copyImage } from '../client/copy-image.ts';

export default class Copy extends OciCommand<typeof Copy> {
  static override usage = 'copy IMAGE DEST [FLAGS]';
  static override summary = 'Copy an image to a registry, a layout or an archive';
  static override description =
    'Between registries nothing touches the disk; between repositories of one registry blobs are mounted, not sent. Copies all platforms with the same digest, unless --platform (several with commas) asks for some: then the index is written anew for them, attestations included. IMAGE is read from the store if it has it: docker://NAME always means the registry. Prints NAME@DIGEST.';
  static override examples = [
    '<%= config.bin %> copy docker://alpine:3.20 localhost:5000/alpine:3.20',
    '<%= config.bin %> copy --platform linux/amd64,linux/arm64 docker://alpine ghcr.io/me/alpine',
    '<%= config.bin %> copy docker://alpine:3.20 oci:alpine-layout:3.20',
    '<%= config.bin %> copy --verify --public-key cosign.pub docker://ghcr.io/acme/app:1 localhost:5000/app:1',
  ];
  static override args = { image: imageArg, destination: destinationArg };
  static override flags = { ...transferFlags, ...verifyFlags };

  protected async execute({ args, flags, client, answer }: Session<typeof Copy>): Promise<void> {
    const copied = await copyImage(client, args.image, args.destination, {
      ...transferOptions(flags),
      verify: await verifyRuleOf(flags),
    });
    answer(copiedJson(copied), () => [copiedLine(copied)]);
  }
}
