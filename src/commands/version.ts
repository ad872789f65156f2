import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OciCommand, type Session } from '../cli/command.ts';

export default class Version extends OciCommand<typeof Version> {
  static override usage = 'version [FLAGS]';
  static override summary = 'Print the version of ocitool and of what it runs on';
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version --json'];

  protected async execute({ answer }: Session<typeof Version>): Promise<void> {
    const description = readFileSync(join(this.config.root, 'package.json'), 'utf8');
    const { version } = JSON.parse(description) as { version: string };
    const platform = `${process.platform}/${process.arch}`;
    answer({ version, node: process.versions.node, platform }, () => [
      `ocitool ${version}`,
      `node ${process.versions.node}`,
      platform,
    ]);
  }
}
