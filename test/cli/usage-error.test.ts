// A command line that is wrong is answered in one line, with what was probably meant and where to read more.
import { expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

it.each([
  { line: 'pull', error: 'IMAGE missing', hint: 'see ocitool pull --help' },
  { line: 'tag one', error: 'NAME missing', hint: 'see ocitool tag --help' },
  {
    line: 'ls --recursiv x',
    error: 'no such flag: --recursiv',
    hint: 'did you mean --recursive? Or see ocitool ls --help',
  },
  { line: 'pull --xyzzyx x', error: 'no such flag: --xyzzyx', hint: 'see ocitool pull --help' },
  { line: 'imges alpine', error: 'no such command: imges', hint: 'did you mean images? Or see ocitool help' },
  {
    line: 'network creat',
    error: 'no such command: network creat',
    hint: 'did you mean network create? Or see ocitool help',
  },
  { line: 'nothinglikeit', error: 'no such command: nothinglikeit', hint: 'see ocitool help' },
])('$line', async ({ line, error, hint }) => {
  const { code, stdout, stderr } = await runCli(line.split(' '));
  expect({ code, stdout, stderr }).toEqual({
    code: 2,
    stdout: '',
    stderr: `error: ${error}\nhint: ${hint}\n`,
  });
});
