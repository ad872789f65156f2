import { existsSync } from 'node:fs';
import { Flags } from '@oclif/core';
import type { Swept } from '../blobstore/gc.ts';
import { storePaths } from '../blobstore/paths.ts';
import { OciCommand, type Session } from '../cli/command.ts';
import { durationFlag } from '../cli/duration-flag.ts';
import { enterHolder } from '../cli/enter-holder.ts';
import { gc } from '../client/gc.ts';
import { formatBytes, formatCount, printable } from '../ui/format.ts';
import { formatTable } from '../ui/table.ts';

export default class Gc extends OciCommand<typeof Gc> {
  static override usage = 'gc [FLAGS]';
  static override summary = 'Free what no name in the store leads to';
  static override description =
    'Safe beside running pulls, serve and another gc: what was written or used within the grace period stays. --older-than removes names first, by when they were last pulled or set.';
  static override examples = [
    '<%= config.bin %> gc --dry-run',
    "<%= config.bin %> gc --older-than 30d --keep 'ghcr.io/me/**' --keep 'alpine:*'",
  ];
  static override flags = {
    'dry-run': Flags.boolean({ char: 'n', summary: 'Change nothing, show what would go' }),
    'older-than': durationFlag({ summary: 'Remove names last set longer ago, such as 30d or 12h' }),
    keep: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'PATTERN',
      summary: 'Spare these names from --older-than; * stands for anything but /, ** for anything',
    }),
    grace: durationFlag({
      summary:
        'Spare unused blobs younger than this, 1m at least; 0 when nothing else uses the store. Default: 1h',
    }),
    'partial-age': durationFlag({ summary: 'Remove partial downloads untouched for this long. Default: 7d' }),
    'tagged-only': Flags.boolean({
      summary: 'Manifests pushed to serve by digest go too, unless a tag leads to them',
    }),
  };

  protected async execute({ flags, client, answer, width }: Session<typeof Gc>): Promise<void> {
    // Root file systems of a normal user's containers have owners of the user's namespace.
    const { trees } = storePaths((await client.store()).dir);
    if (existsSync(trees) && (await enterHolder({ store: flags.store, start: true }))) return;
    const swept = await gc(client, {
      olderThan: flags['older-than'],
      keep: flags.keep,
      grace: flags.grace,
      partialAge: flags['partial-age'],
      taggedOnly: flags['tagged-only'],
      dryRun: flags['dry-run'],
    });
    answer(swept, () => lines(swept, width));
  }
}

function lines(swept: Swept, width: number): string[] {
  const { dryRun, names, blobs, young, partials, layerRecords, trees, freed } = swept;
  const row = (what: string, count: number, bytes: number): string[] => [
    what,
    formatCount(count),
    formatBytes(bytes),
  ];
  return [
    ...names.map((name) => `${dryRun ? 'would remove' : 'removed'} ${printable(name)}`),
    ...formatTable(
      [{ title: 'WHAT' }, { title: 'COUNT', align: 'right' }, { title: 'SIZE', align: 'right' }],
      [
        row('unused blobs', blobs.count, blobs.bytes),
        row('partial downloads', partials.count, partials.bytes),
        row('layer records and indexes', layerRecords.count, layerRecords.bytes),
        row('root file systems', trees.count, trees.bytes),
        row('unused but young, left', young.count, young.bytes),
      ],
      { width },
    ),
    `${dryRun ? 'would free' : 'freed'} ${formatBytes(freed)}`,
  ];
}
