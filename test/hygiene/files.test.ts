// What every source file keeps to.
import { describe, expect, it } from 'vitest';
import { type SourceFile, sourceFiles } from './sources.ts';

const src = sourceFiles('src/**/*.ts');
const all = [...src, ...sourceFiles('test/**/*.ts'), ...sourceFiles('scripts/**/*.ts')];

function pathsWhere(files: SourceFile[], broken: (text: string) => boolean): string[] {
  return files.filter((file) => broken(file.text)).map((file) => file.path);
}

describe('a source file', () => {
  it('says at its top why it exists', () => {
    // A test says it with its names, a command with its summary.
    const others = all.filter(
      (file) => !file.path.endsWith('.test.ts') && !file.path.startsWith('src/commands/'),
    );
    expect(pathsWhere(others, (text) => !/^(?:#!.*\n)?\/\/ \S/.test(text))).toEqual([]);
  });

  it('has at most 400 lines', () => {
    expect(pathsWhere(all, (text) => text.split('\n').length > 401)).toEqual([]);
  });

  it('has no default export outside the commands', () => {
    const others = all.filter((file) => !file.path.startsWith('src/commands/'));
    expect(pathsWhere(others, (text) => /^export default\b/m.test(text))).toEqual([]);
  });

  it('has no any and no enum', () => {
    expect(pathsWhere(src, (text) => /(?:[:<,|&(]|\bas)\s*any\b(?!\s*['"a-z])/.test(code(text)))).toEqual([]);
    expect(pathsWhere(src, (text) => /^\s*(?:export )?(?:const )?enum\s/m.test(code(text)))).toEqual([]);
  });

  it('leaves nothing to do', () => {
    const marks = new RegExp(['TO', 'DO|FIX', 'ME|XX', 'X\\b'].join(''));
    expect(pathsWhere(all, (text) => marks.test(text))).toEqual([]);
    expect(pathsWhere(src, (text) => /new Error\(`?'?to come/.test(text))).toEqual([]);
  });

  it('silences a checker only with a reason', () => {
    const silent =
      /@ts-(?:ignore|nocheck|expect-error)|(?:biome-ignore|(?:ox|es)lint-disable)(?!.* -- |.*: \S)/;
    expect(pathsWhere(all, (text) => silent.test(text))).toEqual([]);
  });
});

/** Without comments, so that prose may say what code may not. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
