// A TOML file of settings that other tools share with us: read only where it says something, and wrong in words that
// lead to the line.
import { readFileSync } from 'node:fs';
import { fileError, OciError, systemCode } from '../errors.ts';
import { isRecord } from '../json.ts';

export interface TomlFile {
  path: string;
  text: string;
  table: Record<string, unknown>;
}

/** Where a value stands: `['registry', 1, 'mirror', 0, 'insecure']`. */
export type TomlPath = readonly (string | number)[];

/** The text of a file, undefined when there is none, or nothing but comments in it. Throws PERMISSION, IO. */
export function readSettings(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return /^\s*[^#\s]/m.test(text) ? text : undefined;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw fileError(error, path);
  }
}

/** The parser costs 10 ms to load, so whoever comes here has text for it. Throws SETTINGS_INVALID. */
export async function parseToml(path: string, text: string): Promise<TomlFile> {
  const { parse, TomlError } = await import('smol-toml');
  try {
    return { path, text, table: parse(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n');
    throw new OciError('SETTINGS_INVALID', `${path}:${error.line}:${error.column}: not TOML: ${reason}`, {
      hint: 'correct the line; other container tools read this file, too',
      cause: error,
    });
  }
}

/** The error for a value that cannot be used. `expected` goes on after "expected". */
export function settingsError(file: TomlFile, at: TomlPath, expected: string): OciError {
  const name = at.filter((part) => typeof part === 'string').join('.');
  return new OciError('SETTINGS_INVALID', `${placeOf(file, at)}: ${name}: expected ${expected}`);
}

/** `FILE:LINE` of a value, or of the table it is in. */
export function placeOf({ path, text }: TomlFile, at: TomlPath): string {
  const line = lineOf(text, at);
  return line === undefined ? path : `${path}:${line}`;
}

/** One table of the file, read by type. All throw SETTINGS_INVALID for a value of another type. */
export interface TomlFields {
  string(name: string): string | undefined;
  boolean(name: string): boolean | undefined;
  /** One string counts as a list of one. */
  strings(name: string): string[];
  choice<T extends string>(name: string, choices: readonly T[]): T | undefined;
  /** `[[name]]` */
  tables(name: string): TomlFields[];
  table(name: string): TomlFields | undefined;
  /** Names in the file's order. */
  names(): string[];
  /** A value of any type. */
  value(name: string): unknown;
  error(name: string, expected: string): OciError;
  /** `FILE:LINE` */
  place: string;
}

export function fieldsOf(
  file: TomlFile,
  table: Record<string, unknown> = file.table,
  at: TomlPath = [],
): TomlFields {
  const error = (name: string, expected: string): OciError => settingsError(file, [...at, name], expected);
  const own = (name: string): unknown => (Object.hasOwn(table, name) ? table[name] : undefined);
  const self: TomlFields = {
    string(name) {
      const value = own(name);
      if (value === undefined || typeof value === 'string') return value;
      throw error(name, 'a string');
    },
    boolean(name) {
      const value = own(name);
      if (value === undefined || typeof value === 'boolean') return value;
      throw error(name, 'true or false');
    },
    strings(name) {
      const value = own(name) ?? [];
      const list: unknown[] = Array.isArray(value) ? value : [value];
      if (list.every((item) => typeof item === 'string')) return list;
      throw error(name, 'a list of strings');
    },
    choice(name, choices) {
      const value = own(name);
      const chosen = choices.find((choice) => choice === value);
      if (value === undefined || chosen !== undefined) return chosen;
      throw error(name, `one of ${choices.join(', ')}`);
    },
    tables(name) {
      const value = own(name) ?? [];
      if (Array.isArray(value) && value.every(isRecord)) {
        return value.map((item, i) => fieldsOf(file, item, [...at, name, i]));
      }
      throw error(
        name,
        `tables, each begun with [[${[...at.filter((part) => typeof part === 'string'), name].join('.')}]]`,
      );
    },
    table(name) {
      const value = own(name);
      if (value === undefined) return undefined;
      if (isRecord(value)) return fieldsOf(file, value, [...at, name]);
      throw error(name, 'a table');
    },
    names: () => Object.keys(table),
    value: own,
    error,
    place: placeOf(file, at),
  };
  return self;
}

/** The line, counted from 1, by the table headers and keys above it; inline tables are found by what holds them. */
function lineOf(text: string, at: TomlPath): number | undefined {
  const counts = new Map<string, number>();
  let table: (string | number)[] = [];
  let best: { line: number; depth: number } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const header = /^\s*(\[\[?)(.+?)\]\]?\s*(?:#.*)?$/.exec(line);
    const key = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/.exec(line);
    let here: (string | number)[];
    if (header !== null) {
      table = tablePath(keysOf(header[2] ?? ''), header[1] === '[[', counts);
      here = table;
    } else if (key !== null) here = [...table, ...keysOf(key[1] ?? '')];
    else continue;
    const depth = here.length;
    if (depth > at.length || !here.every((part, n) => part === at[n])) continue;
    if (best === undefined || depth > best.depth) best = { line: i + 1, depth };
  }
  return best?.line;
}

/** The path of the table a header begins: arrays of tables counted so far give the numbers. */
function tablePath(keys: string[], isArray: boolean, counts: Map<string, number>): (string | number)[] {
  const path: (string | number)[] = [];
  for (const [i, key] of keys.entries()) {
    path.push(key);
    const name = JSON.stringify(path);
    if (isArray && i === keys.length - 1) counts.set(name, (counts.get(name) ?? -1) + 1);
    const count = counts.get(name);
    if (count !== undefined) path.push(count);
  }
  return path;
}

function keysOf(dotted: string): string[] {
  return [...dotted.matchAll(/"([^"]*)"|'([^']*)'|([^\s.]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare ?? '',
  );
}
