// Which words are a command's name, which are its own, and when help is asked for: the built command line says it.
import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

describe('a command', () => {
  it('of two words is found by both', async () => {
    const { code, stdout } = await runCli(['network', 'ls', '--store', '/nonexistent/store', '--json']);
    expect({ code, stdout: JSON.parse(stdout) }).toEqual({ code: 0, stdout: [] });
  });

  it('that takes no arguments says which one it was given', async () => {
    const { code, stderr } = await runCli(['images', 'surplus']);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'error: Unexpected argument: surplus\nhint: see ocitool images --help\n',
    });
  });

  it.each(['pulll', 'constructor', 'network nothing'])('named %s is none', async (name) => {
    const { code, stderr } = await runCli(name.split(' '));
    expect(code).toBe(2);
    expect(stderr).toContain(`no such command: ${name}`);
  });
});

describe('--help', () => {
  it.each([
    ['run', '--help'],
    ['run', '-e', 'A=b', '--help'],
    ['exec', '--help', 'name', 'ls'],
  ])('before the first argument is help of the command: %s', async (...line) => {
    const { code, stdout } = await runCli(line);
    expect(code).toBe(0);
    expect(stdout).toContain(`ocitool ${line[0]}`);
    expect(stdout).toContain('EXAMPLES');
  });

  it.each([
    ['run', '--store', '/nonexistent/store', '--pull', 'never', 'image', 'ls', '--help'],
    ['exec', '--store', '/nonexistent/store', 'name', 'ls', '--help'],
  ])("after it is the container's: %s", async (...line) => {
    const { code, stdout, stderr } = await runCli(line);
    expect({ code, stdout }).toEqual({ code: 125, stdout: '' });
    expect(stderr).toMatch(/^error: .*(not|no such)/);
  });

  it('after -- is an argument', async () => {
    const { code, stderr } = await runCli([
      'why',
      '--store',
      '/nonexistent/store',
      '--',
      'image:1',
      '--help',
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/^error: /);
  });
});
