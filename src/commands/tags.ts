import { Args, Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { tags } from '../client/tags.ts';

export default class Tags extends OciCommand<typeof Tags> {
  static override usage = 'tags REPOSITORY [FLAGS]';
  static override summary = 'List the tags of a repository';
  static override description = 'Sorted naturally: 2.9 comes before 2.10.';
  static override examples = [
    '<%= config.bin %> tags alpine',
    "<%= config.bin %> tags --filter '2.1-*-alpine' microsoft/dotnet",
  ];
  static override args = {
    repository: Args.string({ name: 'REPOSITORY', required: true, description: 'NAME without a tag' }),
  };
  static override flags = {
    filter: Flags.string({ helpValue: 'GLOB', summary: 'Only tags that match' }),
    limit: Flags.integer({ min: 1, helpValue: 'N', summary: 'At most this many' }),
  };

  protected async execute({ args, flags, client, answer }: Session<typeof Tags>): Promise<void> {
    const found = await tags(client, args.repository, flags);
    answer({ repository: args.repository, tags: found }, () => found);
  }
}
