// Help is how people find out: every command has it, by either way of asking, with an example that names the command.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../oclif.manifest.json'), 'utf8')) as {
  commands: Record<string, { summary?: string; examples?: unknown[] }>;
};
const commands = Object.entries(manifest.commands).map(([id, command]) => ({
  id: id.replace(':', ' '),
  command,
}));

describe('every command', () => {
  it.each(commands)('$id has a summary and an example', ({ id, command }) => {
    expect(command.summary).toBeTruthy();
    expect(JSON.stringify(command.examples)).toContain(id);
  });
});

describe('help', () => {
  it.each(['pull', 'network create'])('of %s is what its --help says', async (id) => {
    const [asked, flagged] = await Promise.all([
      runCli(['help', ...id.split(' ')]),
      runCli([...id.split(' '), '--help']),
    ]);
    expect(asked.code).toBe(0);
    expect(asked.stdout).toBe(flagged.stdout);
    expect(asked.stdout).toContain('EXAMPLES');
  });

  it('alone lists the commands', async () => {
    const { code, stdout } = await runCli(['help']);
    expect(code).toBe(0);
    expect(stdout).toContain('unpack');
  });

  it('of a command that is none is an error', async () => {
    const { code, stderr } = await runCli(['help', 'pul']);
    expect(code).toBe(2);
    expect(stderr).toContain('pul');
  });
});
