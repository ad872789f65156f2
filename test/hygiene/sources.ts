// The project's own TypeScript files and what each imports, for the tests that hold the house rules.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

export const root = join(import.meta.dirname, '../..');

export interface SourceFile {
  /** From the project's root, `src/copy/copier.ts`. */
  path: string;
  text: string;
  /** Files of the project by path, everything else as written (`undici`, `node:fs`). */
  imports: string[];
  /** Those of `imports` that are there when the program runs: not `import type`. */
  loads: string[];
}

export function sourceFiles(pattern: string): SourceFile[] {
  return globSync(pattern, { cwd: root, exclude: ['**/node_modules/**'] })
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      const resolved = (code: string) => importsOf(code).map((specifier) => resolve(path, specifier));
      return {
        path,
        text,
        imports: resolved(text),
        loads: resolved(text.replace(/^\s*(?:im|ex)port type .*$/gm, '')),
      };
    });
}

function importsOf(text: string): string[] {
  const statements = text.matchAll(
    /^\s*(?:import|export)\s[^'";]*?from\s+'([^']+)'|^\s*import\s+'([^']+)'/gm,
  );
  const calls = text.matchAll(/\bimport\(\s*'([^']+)'/g);
  return [...statements, ...calls].map((match) => match[1] ?? match[2] ?? '');
}

function resolve(from: string, specifier: string): string {
  return specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : specifier;
}
