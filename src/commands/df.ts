import { OciCommand, type Session } from '../cli/command.ts';
import { formatBytes, formatCount } from '../ui/format.ts';
import { formatTable } from '../ui/table.ts';

export default class Df extends OciCommand<typeof Df> {
  static override usage = 'df [FLAGS]';
  static override summary = 'Show what the store takes up on disk';
  static override examples = ['<%= config.bin %> df', '<%= config.bin %> df --json'];

  protected async execute({ client, answer, width }: Session<typeof Df>): Promise<void> {
    const store = await client.store();
    const usage = await store.usage();
    const row = (what: string, count: number, bytes?: number): string[] => [
      what,
      formatCount(count),
      bytes === undefined ? '' : formatBytes(bytes),
    ];
    answer({ store: store.dir, ...usage }, () => [
      store.dir,
      ...formatTable(
        [{ title: 'WHAT' }, { title: 'COUNT', align: 'right' }, { title: 'SIZE', align: 'right' }],
        [
          row('images', usage.images),
          row('blobs', usage.blobs.count, usage.blobs.bytes),
          row('of these unreferenced', usage.unreferenced.count, usage.unreferenced.bytes),
          row('partial downloads', usage.ingest.count, usage.ingest.bytes),
          row('layer records', usage.layerRecords.count, usage.layerRecords.bytes),
          row('layer indexes', usage.layerIndexes.count, usage.layerIndexes.bytes),
          row('root file systems', usage.trees.count, usage.trees.bytes),
        ],
        { width },
      ),
    ]);
  }
}
