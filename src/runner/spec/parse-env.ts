// -e and --env-file, as Docker reads them.
import { readFileSync, statSync } from 'node:fs';
import { fileError } from '../../errors.ts';
import { usage } from './usage.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** More is no list of settings. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Entries of a RunRequest's `env`: the files' first, in order, then those of -e. `KEY` alone takes the value that `host`
 * has; without one it takes the image's variable away. Throws USAGE, and what reading a file throws.
 */
export function parseEnv(flags: readonly string[], files: readonly string[], host: Environment): string[] {
  return [
    ...files.flatMap((file) => parseEnvFile(file, host)),
    ...flags.map((entry) => parseEntry('-e', entry, entry, host)),
  ];
}

function parseEnvFile(file: string, host: Environment): string[] {
  let text: string;
  try {
    if (statSync(file).size > MAX_FILE_BYTES) {
      throw usage('--env-file', file, 'larger than 1 MiB', 'one KEY=value a line');
    }
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw fileError(error, `--env-file ${file}`);
  }
  const entries: string[] = [];
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const entry = line.replace(/\r$/, '').trimStart();
    if (entry === '' || entry.startsWith('#')) continue;
    entries.push(parseEntry('--env-file', entry, `${file}:${index + 1}`, host));
  }
  return entries;
}

function parseEntry(flag: string, entry: string, where: string, host: Environment): string {
  const [name = ''] = entry.split('=', 1);
  if (name === '')
    throw usage(flag, where, 'no name before the =', 'write KEY=value, or KEY for the value it has here');
  if (/\s/.test(name))
    throw usage(
      flag,
      where,
      `a name with a space in it: ${name}`,
      'write KEY=value without spaces around the =',
    );
  if (entry.includes('\0')) throw usage(flag, where, 'a zero byte', 'no program could read it');
  if (entry.includes('=')) return entry;
  const value = host[name];
  return value === undefined ? name : `${name}=${value}`;
}
