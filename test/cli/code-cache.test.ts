// Compiled code runs as we do: it is kept in a folder that is ours alone, and only of the very file it was made from.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';

const FILE = join(import.meta.dirname, '../../bin/code-cache.cjs');
const uid = process.geteuid?.() ?? 0;

/** A program of two files, with a folder for temporary files of its own. */
function openProgram() {
  const dir = mkdtempSync(join(tmpdir(), 'ocitool-code-cache-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const program = (name: string, text: string): void => writeFileSync(join(dir, name), text);
  program(
    'start.cjs',
    `require(${JSON.stringify(FILE)}).load(${JSON.stringify(join(dir, 'main.cjs'))}, 'test');`,
  );
  program('other.cjs', 'exports.say = (word) => console.log(word);');
  program('main.cjs', "require('./other.cjs').say('hello');");
  return {
    program,
    temporary: dir,
    kept: join(dir, `ocitool-code-${uid}`),
    run(env: NodeJS.ProcessEnv = {}, args: string[] = []) {
      const all = { PATH: process.env.PATH, TMPDIR: dir, ...env };
      const command = [...args, join(dir, 'start.cjs')];
      const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', env: all });
      return { status, stdout, stderr };
    },
  };
}

describe('what a command has compiled', () => {
  it('is kept for the next, of all its files', () => {
    const { run, kept } = openProgram();
    expect(run()).toEqual({ status: 0, stdout: 'hello\n', stderr: '' });
    const files = readdirSync(kept).sort();
    expect(files).toEqual([expect.stringMatching(/^main_test_/), expect.stringMatching(/^other_test_/)]);
    expect(statSync(kept).mode & 0o777).toBe(0o700);
    const before = files.map((file) => statSync(join(kept, file)).mtimeMs);
    expect(run().stdout).toBe('hello\n');
    expect(files.map((file) => statSync(join(kept, file)).mtimeMs)).toEqual(before);
  });

  it('is not taken for a file of the same length that was written since', () => {
    const { run, program } = openProgram();
    run();
    program('main.cjs', "require('./other.cjs').say('jello');");
    expect(run().stdout).toBe('jello\n');
  });

  it('is made anew where it is no code', () => {
    const { run, kept } = openProgram();
    run();
    for (const file of readdirSync(kept)) writeFileSync(join(kept, file), 'nonsense');
    expect(run()).toEqual({ status: 0, stdout: 'hello\n', stderr: '' });
    for (const file of readdirSync(kept)) expect(statSync(join(kept, file)).size).toBeGreaterThan(100);
  });

  it('is not kept of one that failed, whose error names the place in the file', () => {
    const { run, program, kept, temporary } = openProgram();
    program('main.cjs', "\nthrow new Error('no');");
    const { status, stderr } = run();
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(`${join(temporary, 'main.cjs')}:2`),
    });
    expect(readdirSync(kept)).toEqual([]);
  });

  it('is kept where the user says, or not at all', () => {
    const { run, kept, temporary } = openProgram();
    run({ NODE_DISABLE_COMPILE_CACHE: '1' });
    run({ NODE_COMPILE_CACHE: join(temporary, 'mine') });
    expect(existsSync(kept)).toBe(false);
    expect(readdirSync(join(temporary, 'mine', `ocitool-code-${uid}`)).join(' ')).toContain('main_test_');
  });

  it('of options that change what is compiled is nobody else’s', () => {
    const { run, kept } = openProgram();
    expect(run({}, ['--max-lazy']).stdout).toBe('hello\n');
    expect(run({ NODE_OPTIONS: '--max-old-space-size=100' }).stdout).toBe('hello\n');
    expect(existsSync(kept)).toBe(false);
  });

  it('is a hundred files at most: the oldest go', () => {
    const { run, kept } = openProgram();
    mkdirSync(kept, { mode: 0o700 });
    for (let at = 0; at < 100; at++) {
      writeFileSync(join(kept, `old-${at}`), '');
      utimesSync(join(kept, `old-${at}`), at, at);
    }
    run();
    const names = readdirSync(kept);
    expect(names).toHaveLength(100);
    expect(names.filter((name) => /^(main|other)_|^old-(99|2)$/.test(name))).toHaveLength(4);
  });

  it('is not kept where others may write, or in a folder behind a link', () => {
    const [open, linked] = [openProgram(), openProgram()];
    mkdirSync(open.kept);
    chmodSync(open.kept, 0o777);
    mkdirSync(join(linked.temporary, 'elsewhere'), { mode: 0o700 });
    symlinkSync('elsewhere', linked.kept);
    for (const { run, kept } of [open, linked]) {
      expect(run().stdout).toBe('hello\n');
      expect(readdirSync(kept)).toEqual([]);
    }
  });

  it.runIf(uid === 0)('is not kept in a folder of somebody else', () => {
    const { run, kept } = openProgram();
    mkdirSync(kept, { mode: 0o700 });
    chownSync(kept, 4001, 4001);
    run();
    expect(readdirSync(kept)).toEqual([]);
  });
});

describe('a file that was loaded so', () => {
  it('is one module, however it is required', () => {
    const { run, program } = openProgram();
    program('other.cjs', 'exports.count = (globalThis.count = (globalThis.count ?? 0) + 1);');
    program(
      'main.cjs',
      `const other = require('./other.cjs');
      console.log(other === require('./other.cjs'), other === require(__dirname + '/other.cjs'), other.count);`,
    );
    expect(run().stdout).toBe('true true 1\n');
  });
});
