import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg, limitFlags } from '../cli/flags.ts';
import { diff } from '../client/diff.ts';
import { describeDiffEntry, diffLines, sortedEntries } from '../ui/diff-lines.ts';

export default class Diff extends OciCommand<typeof Diff> {
  static override usage = 'diff A B [PATH] [FLAGS]';
  static override summary = 'Tell which files are added, removed or changed from one image to another';
  static override description =
    'Files are compared by kind, content, target, mode, owner and extended attributes. Those of which only the time differs are counted as touched: --times lists them too. A directory added or removed with all that is in it is one line, unless --recursive.';
  static override examples = [
    '<%= config.bin %> diff alpine:3.19 alpine:3.20',
    '<%= config.bin %> diff --sort size app:1.0 oci-archive:build.tar /usr/lib',
  ];
  static override args = {
    a: imageArg,
    b: Args.string({ name: 'B', required: true, description: 'the image to compare with it' }),
    path: Args.string({ name: 'PATH', default: '/', description: 'look only here and below' }),
  };
  static override flags = {
    ...limitFlags,
    sort: Flags.option({ options: ['path', 'size'] as const })({
      default: 'path',
      summary: 'By path, or what grew or shrank most first',
    }),
    recursive: Flags.boolean({ char: 'R', summary: 'Everything below added and removed directories' }),
    times: Flags.boolean({ summary: 'Also list what differs in its time alone' }),
  };

  protected async execute({ args, flags, client, answer, width }: Session<typeof Diff>): Promise<void> {
    const { a, b, path } = args;
    const { sort, recursive, times } = flags;
    const found = await diff(client, a, b, { path, times });
    answer({ ...found, entries: sortedEntries(found.entries, sort).map(describeDiffEntry) }, () =>
      diffLines(found, { sort, recursive, width }),
    );
  }
}
