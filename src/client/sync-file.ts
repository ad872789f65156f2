// The file of `sync`: a YAML list of what goes where. What is wrong in it is told with its line and what was expected. Brings
// in a YAML parser, so it is loaded only when there is a file to read.
import { readFileSync, statSync } from 'node:fs';
import semver from 'semver';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type YAMLMap,
} from 'yaml';
import { fileError, OciError, systemCode } from '../errors.ts';
import { parsePlatform } from '../manifest/platform.ts';
import { parseSyncPlace, type SyncPlace } from './sync-place.ts';
import type { TagChoice } from './sync-tags.ts';

/** One item of the list. */
export interface SyncEntry {
  /** Where it begins in the file, from 1. */
  line: number;
  source: SyncPlace;
  target: SyncPlace;
  tags: TagChoice;
  /** Default: all the source has. */
  platforms: string[] | undefined;
  referrers: boolean;
}

/** No list of repositories is this long. */
const MAX_BYTES = 1024 * 1024;
const KEYS = ['source', 'target', 'tags', 'semver', 'limit', 'platforms', 'referrers'] as const;
type Key = (typeof KEYS)[number];

/** Reads the file. Throws PATH_NOT_FOUND, SETTINGS_INVALID (`FILE:LINE: …`), PERMISSION, IO. */
export function readSyncFile(path: string): SyncEntry[] {
  return parseSyncFile(readText(path), path);
}

function readText(path: string): string {
  try {
    const { size } = statSync(path);
    if (size <= MAX_BYTES) return readFileSync(path, 'utf8');
    throw new OciError('SETTINGS_INVALID', `${path}: ${size} bytes, more than ${MAX_BYTES}`);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileError(error, path);
    throw new OciError('PATH_NOT_FOUND', `${path}: no such file`, { cause: error });
  }
}

/** The entries in `text`. Throws as `readSyncFile` does. */
export function parseSyncFile(text: string, path: string): SyncEntry[] {
  const lineCounter = new LineCounter();
  // All values are texts in this schema: 3.20 is a tag, not the number 3.2.
  const document = parseDocument(text, { lineCounter, schema: 'failsafe', prettyErrors: false });

  function lineOf(node: { range?: [number, number, number] | null | undefined } | null | undefined): number {
    return lineCounter.linePos(node?.range?.[0] ?? 0).line;
  }
  function wrong(line: number, message: string, hint?: string): OciError {
    return new OciError('SETTINGS_INVALID', `${path}:${line}: ${message}`, { hint });
  }

  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line } = lineCounter.linePos(problem.pos[0]);
    throw wrong(line, `not YAML: ${problem.message.split('\n', 1)[0]}`);
  }

  /** What an alias stands for, one step: nothing here is nested deeper. */
  function follow(node: unknown): unknown {
    return isAlias(node) ? node.resolve(document) : node;
  }

  function scalar(node: unknown, key: string, expected: string): string {
    if (isScalar(node) && typeof node.value === 'string' && node.value !== '') return node.value;
    throw wrong(lineOf(node as Node | null), `${key}: expected ${expected}`);
  }

  /** A text, or a list of some. */
  function texts(node: unknown, key: string, expected: string): { value: string; line: number }[] {
    const items = isSeq(node) ? node.items.map(follow) : [node];
    if (items.length === 0) throw wrong(lineOf(node as Node), `${key}: expected ${expected}`);
    return items.map((item) => ({ value: scalar(item, key, expected), line: lineOf(item as Node) }));
  }

  /** What `parse` says of a value, at its line. */
  function checked<T>(line: number, key: string, parse: () => T): T {
    try {
      return parse();
    } catch (error) {
      if (!(error instanceof OciError)) throw error;
      throw wrong(line, `${key}: ${error.message}`, error.hint);
    }
  }

  function entry(map: YAMLMap): SyncEntry {
    const line = lineOf(map);
    const values = new Map<Key, unknown>();
    for (const { key, value } of map.items as Pair<Node, Node | null>[]) {
      const name = scalar(key, 'an entry', 'keys that are words');
      if (!(KEYS as readonly string[]).includes(name)) {
        throw wrong(lineOf(key), `unknown key ${JSON.stringify(name)}`, `known are ${KEYS.join(', ')}`);
      }
      values.set(name as Key, follow(value));
    }
    const text = (key: Key, expected: string): string | undefined =>
      values.has(key) ? scalar(values.get(key), key, expected) : undefined;
    const place = (key: 'source' | 'target'): SyncPlace => {
      const expected = 'NAME[:TAG], docker://NAME, store[:NAME] or oci:DIR[:NAME]';
      const value = text(key, expected);
      if (value === undefined) throw wrong(line, `an entry without ${key}: expected ${expected}`);
      return checked(lineOf(values.get(key) as Node), key, () => parseSyncPlace(value));
    };
    const source = place('source');
    const target = place('target');
    const limit = text('limit', 'a number of tags');
    if (limit !== undefined && !/^[1-9]\d{0,5}$/.test(limit)) {
      throw wrong(lineOf(values.get('limit') as Node), `limit: expected a number of tags, not ${limit}`);
    }
    const referrers = text('referrers', 'true or false') ?? 'false';
    if (referrers !== 'true' && referrers !== 'false') {
      throw wrong(
        lineOf(values.get('referrers') as Node),
        `referrers: expected true or false, not ${referrers}`,
      );
    }
    const range = text('semver', 'a range such as >=1.2 <3');
    if (range !== undefined && semver.validRange(range) === null) {
      throw wrong(
        lineOf(values.get('semver') as Node),
        `semver: expected a range such as >=1.2 <3, not ${range}`,
      );
    }
    const platforms = values.has('platforms')
      ? texts(values.get('platforms'), 'platforms', 'os/arch[/variant], or a list of them')
      : undefined;
    for (const one of platforms ?? []) checked(one.line, 'platforms', () => parsePlatform(one.value));
    const tags = values.has('tags')
      ? texts(values.get('tags'), 'tags', 'a tag or glob, or a list of them').map(({ value }) => value)
      : [];
    const chosen = tags.length > 0 || range !== undefined;
    if (source.tag !== undefined && (chosen || limit !== undefined)) {
      throw wrong(line, `source names the tag ${source.tag}: expected no tags, semver or limit beside it`);
    }
    if (source.tag === undefined && !chosen) {
      throw wrong(line, 'expected tags, semver, or a tag in source', "for all of them write tags: '*'");
    }
    if (target.tag !== undefined && source.tag === undefined) {
      throw wrong(line, `target names the tag ${target.tag}: expected one in source, too`);
    }
    if (target.kind !== 'registry' && target.repository === undefined && source.repository === undefined) {
      throw wrong(
        line,
        'expected a name in target: nothing else says what the images are called',
        'write store:NAME or oci:DIR:NAME',
      );
    }
    return {
      line,
      source,
      target,
      tags: {
        tags: source.tag === undefined ? tags : [source.tag],
        semver: range,
        limit: limit === undefined ? undefined : Number(limit),
      },
      platforms: platforms?.map(({ value }) => value),
      referrers: referrers === 'true',
    };
  }

  const list = document.contents;
  if (!isSeq(list) || list.items.length === 0) {
    throw wrong(
      lineOf(list),
      'expected a list of entries',
      '- source: NAME, target: NAME and tags on lines of their own',
    );
  }
  const entries: SyncEntry[] = [];
  for (const item of list.items) {
    if (!isMap(item)) throw wrong(lineOf(item), 'expected an entry with source, target and tags');
    entries.push(entry(item));
  }
  return entries;
}
