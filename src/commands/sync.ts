import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { networkFlags } from '../cli/flags.ts';
import { type SyncResult, sync } from '../client/sync.ts';
import { EXIT, toFailure } from '../ui/failure.ts';
import { formatBytes, formatCount, printable } from '../ui/format.ts';
import { formatTable } from '../ui/table.ts';

export default class Sync extends OciCommand<typeof Sync> {
  static override usage = 'sync FILE [FLAGS]';
  static override summary = 'Keep repositories the same as others, by a list in a file';
  static override description =
    'FILE is a YAML list; each entry has source, target, and which tags (names, globs, a range of versions). Between registries, the store and OCI layouts, in any direction. What is the same already is found by HEAD requests and not sent. An entry that fails stops no other; the exit code tells that one did.';
  static override examples = [
    '<%= config.bin %> sync mirror.yaml',
    '<%= config.bin %> sync --dry-run --json mirror.yaml',
  ];
  static override args = { file: Args.string({ name: 'FILE', required: true, description: 'the list' }) };
  static override flags = {
    'dry-run': Flags.boolean({ char: 'n', summary: 'Copy nothing, show what would be copied' }),
    concurrency: Flags.integer({ min: 1, max: 64, default: 6, helpValue: 'N', summary: 'Blobs in flight' }),
    ...networkFlags,
  };

  protected async execute({ args, flags, client, answer, width }: Session<typeof Sync>): Promise<void> {
    const dryRun = flags['dry-run'] === true;
    const { concurrency } = flags;
    const results = await sync(client, args.file, { dryRun, concurrency });
    answer(toJson(results, dryRun), () => toLines(results, args.file, width));
    const codes = new Set(
      results.flatMap(({ error }) => (error === undefined ? [] : [toFailure(error).exitCode])),
    );
    const [code = 0] = codes;
    if (codes.size > 0) process.exitCode = codes.size === 1 ? code : EXIT.failed;
  }
}

function countOf(results: SyncResult[], status: SyncResult['status']): number {
  return results.filter((result) => result.status === status).length;
}

function toJson(results: SyncResult[], dryRun: boolean): object {
  return {
    dryRun,
    results: results.map(({ error, from: _from, to: _to, transferred, reused, ...result }) => {
      const { code, message, hint } = error === undefined ? {} : toFailure(error);
      return {
        ...result,
        transferredBytes: transferred,
        reusedBytes: reused,
        ...(code !== undefined && { error: { code, message, hint } }),
      };
    }),
    copied: countOf(results, dryRun ? 'would copy' : 'copied'),
    unchanged: countOf(results, 'unchanged'),
    failed: countOf(results, 'failed'),
  };
}

function toLines(results: SyncResult[], file: string, width: number): string[] {
  const failures = results.flatMap(({ line, error }) => {
    if (error === undefined) return [];
    const { message, hint } = toFailure(error);
    return [
      `${file}:${line}: ${printable(message)}`,
      ...(hint === undefined ? [] : [`  ${printable(hint)}`]),
    ];
  });
  const counts = (['copied', 'would copy', 'unchanged', 'failed'] as const).flatMap((status) => {
    const count = countOf(results, status);
    return count === 0 ? [] : [`${formatCount(count)} ${status}`];
  });
  const lines: string[] = [];
  for (const group of Map.groupBy(results, ({ line }) => line).values()) {
    const [{ from, to } = { from: '', to: '' }] = group;
    lines.push(`${printable(from)} -> ${printable(to)}`);
    const rows = group.map(({ tag = '-', status, transferred }) => [
      '',
      tag,
      status,
      transferred === 0 ? '' : formatBytes(transferred),
    ]);
    const columns = [
      { title: '' },
      { title: '', flexible: true },
      { title: '' },
      { title: '', align: 'right' },
    ] as const;
    // Without the titles, which would come again with each entry.
    lines.push(...formatTable([...columns], rows, { width }).slice(1));
  }
  return [...lines, ...failures, counts.join(', ')];
}
