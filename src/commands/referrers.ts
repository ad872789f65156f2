import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { referrers } from '../client/referrers.ts';
import { formatBytes, printable } from '../ui/format.ts';
import { truncate } from '../ui/table.ts';

export default class Referrers extends OciCommand<typeof Referrers> {
  static override usage = 'referrers IMAGE [FLAGS]';
  static override summary = 'List what refers to an image: signatures, SBOMs, attachments';
  static override description =
    'By the referrers API of the registry, or by the fallback tag where it has none. They refer to what IMAGE stands for; with --platform to the manifest of that platform. IMAGE is looked for in the store first: docker://NAME always means the registry.';
  static override examples = [
    '<%= config.bin %> referrers docker://ghcr.io/org/app:1',
    '<%= config.bin %> referrers --artifact-type application/spdx+json docker://localhost:5000/app:1',
  ];
  static override args = { image: imageArg };
  static override flags = {
    'artifact-type': Flags.string({ helpValue: 'TYPE', summary: 'Only those of this type' }),
  };

  protected async execute({
    args,
    flags,
    client,
    answer,
    note,
    width,
  }: Session<typeof Referrers>): Promise<void> {
    const found = await referrers(client, args.image, { artifactType: flags['artifact-type'] });
    if (found.referrers.length === 0 && found.from === 'store') {
      note(`none in the store; at the registry: ocitool referrers docker://${found.name}`);
    }
    answer({ name: found.name, digest: found.digest, referrers: found.referrers }, () =>
      found.referrers.flatMap(({ digest, artifactType, size, annotations = {} }) => [
        // In full, to be copied: a table would have to cut it.
        digest,
        `  ${printable(artifactType ?? 'of no type')}, manifest of ${formatBytes(size)}`,
        ...Object.entries(annotations).map(
          ([key, value]) => `  ${truncate(printable(`${key}=${value}`), width - 2)}`,
        ),
      ]),
    );
  }
}
