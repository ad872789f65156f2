import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { layers } from '../client/layers.ts';
import { formatBytes, formatCount, shortDigest } from '../ui/format.ts';
import { layerFilesLines } from '../ui/layer-files.ts';
import { formatTable } from '../ui/table.ts';

export default class Layers extends OciCommand<typeof Layers> {
  static override usage = 'layers IMAGE [FLAGS]';
  static override summary = 'List the layers of an image with their sizes and instructions';
  static override description =
    'Compressed size, and unpacked size and files where the layer was read before (by unpack, ls or --read). SHARED counts the other stored images that have the layer. Nothing is pulled without --read or --files.';
  static override examples = [
    '<%= config.bin %> layers microsoft/dotnet:2.1-aspnetcore-runtime-alpine',
    '<%= config.bin %> layers --read --no-trunc alpine:3.20',
    '<%= config.bin %> layers --files --top 20 microsoft/dotnet:2.1-aspnetcore-runtime-alpine',
  ];
  static override args = { image: imageArg };
  static override flags = {
    ...limitFlags,
    read: Flags.boolean({ summary: 'Read layers whose unpacked size is not known yet' }),
    files: Flags.boolean({
      summary: 'Read the layers and tell what their files weigh, and what layers above replaced or deleted',
    }),
    top: Flags.integer({
      min: 0,
      helpValue: 'N',
      dependsOn: ['files'],
      summary: 'How many of the most wasteful paths to show. Default: 10',
    }),
    'no-trunc': Flags.boolean({ summary: 'Do not cut digests and instructions' }),
  };

  protected async execute({ args, flags, client, answer, width }: Session<typeof Layers>): Promise<void> {
    const image = await layers(client, args.image, { read: flags.read, files: flags.files });
    const full = flags['no-trunc'];
    const unknown = '-';
    const sum = (values: (number | undefined)[]): number | undefined =>
      values.reduce<number | undefined>(
        (total, value) => (total === undefined || value === undefined ? undefined : total + value),
        0,
      );
    const size = sum(image.layers.map((layer) => layer.size)) ?? 0;
    const unpackedSize = sum(image.layers.map((layer) => layer.unpackedSize));
    const files = sum(image.layers.map((layer) => layer.files));
    const bytes = (value: number | undefined): string => (value === undefined ? unknown : formatBytes(value));
    const count = (value: number | undefined): string => (value === undefined ? unknown : formatCount(value));
    const { waste } = image;
    answer({ ...image, total: { size, unpackedSize, files } }, () => {
      if (waste !== undefined)
        return layerFilesLines({ ...image, waste }, { top: flags.top ?? 10, full, width });
      return formatTable(
        [
          { title: '#', align: 'right' },
          { title: 'DIGEST' },
          { title: 'SIZE', align: 'right' },
          { title: 'UNPACKED', align: 'right' },
          { title: 'FILES', align: 'right' },
          { title: 'SHARED', align: 'right' },
          { title: 'INSTRUCTION', flexible: true },
        ],
        [
          ...image.layers.map((layer, i) => [
            String(i + 1),
            full ? layer.digest : shortDigest(layer.digest),
            formatBytes(layer.size),
            bytes(layer.unpackedSize),
            count(layer.files),
            layer.sharedWith.length === 0 ? unknown : String(layer.sharedWith.length),
            layer.instruction ?? '',
          ]),
          ['', 'total', formatBytes(size), bytes(unpackedSize), count(files), '', ''],
        ],
        { width: full ? Number.POSITIVE_INFINITY : width },
      );
    });
  }
}
