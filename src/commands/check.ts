import { OciCommand, type Session } from '../cli/command.ts';

export default class Check extends OciCommand<typeof Check> {
  static override usage = 'check [FLAGS]';
  static override summary = 'Check the store: every blob, every name, every leftover';
  static override description =
    'Reads every blob and compares its digest. Ends with exit code 6 when something is wrong.';
  static override examples = [
    '<%= config.bin %> check',
    '<%= config.bin %> check --json --store /srv/images',
  ];

  protected async execute({ client, answer, signal }: Session<typeof Check>): Promise<void> {
    const store = await client.store();
    const result = await store.check({ signal });
    answer(result, () =>
      result.steps.flatMap((step) => [
        `${step.ok ? 'ok  ' : 'BAD '} ${step.name.padEnd(18)} ${`${Math.round(step.ms)}ms`.padStart(8)}`,
        ...step.problems.map((problem) => `     ${problem}`),
      ]),
    );
    if (!result.ok) process.exitCode = 6;
  }
}
