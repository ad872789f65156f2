// Archives of other readers' test suites: the entries Go and Python agree on, or what the suite itself states.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { inflate } from '../../src/layer/inflate.ts';
import { layerLimits } from '../../src/layer/limits.ts';
import type { TarEntry } from '../../src/layer/tar-entry.ts';
import { readTar, type TarReader } from '../../src/layer/tar-reader.ts';
import { bytesSource } from '../support/bytes-source.ts';
import { corpus, corpusJson } from '../support/corpora.ts';

interface Expected {
  name: string;
  nameHex?: string;
  type: string;
  size: number;
  mode: string;
  uid: number;
  gid: number;
  mtime: string;
  linkname?: string;
  sha256?: string;
  dev?: string;
  pax?: Record<string, string>;
}

interface Case {
  file: string;
  agreed: boolean;
  expect?: { ok: boolean; entries?: Expected[] };
  statedBySource?: { error?: string | null; note?: string };
  goEntries?: Expected[];
}

const KINDS: Record<string, string> = {
  dir: 'directory',
  link: 'hardlink',
  'gnu-sparse': 'file',
  "type-'D'": 'directory',
};

function sha256OfBody(tar: TarReader, entry: TarEntry): string {
  const hash = createHash('sha256');
  let at = 0;
  const zeros = (to: number): void => {
    for (; at < to; at += Math.min(to - at, 1 << 20)) hash.update(Buffer.alloc(Math.min(to - at, 1 << 20)));
  };
  for (let piece = tar.body(); piece !== undefined; piece = tar.body()) {
    zeros(tar.bodyOffset);
    hash.update(piece);
    at += piece.length;
  }
  zeros(entry.size);
  return hash.digest('hex');
}

function read(path: string): Array<{ entry: TarEntry; sha256: string | undefined }> {
  const slabs = inflate(bytesSource(readFileSync(path)));
  const tar = readTar(slabs.next, layerLimits());
  const found = [];
  for (let entry = tar.next(); entry !== undefined; entry = tar.next()) {
    const small = entry.kind === 'file' && entry.size <= 256 << 20;
    found.push({ entry, sha256: small ? sha256OfBody(tar, entry) : undefined });
  }
  slabs.close();
  return found;
}

function mtimeOf({ mtime, mtimeNanos }: TarEntry): string {
  const total = BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNanos);
  const magnitude = total < 0n ? -total : total;
  const fraction = String(magnitude % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${total < 0n ? '-' : ''}${magnitude / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function told(entry: TarEntry, sha256: string | undefined, expected: Expected): Expected {
  const name = Buffer.from(entry.path, 'latin1');
  const file = entry.kind === 'file';
  return {
    name: name.toString('utf8'),
    ...(expected.nameHex === undefined ? {} : { nameHex: name.toString('hex') }),
    type: entry.kind,
    size: file ? entry.size : 0,
    mode: entry.mode.toString(8),
    uid: entry.uid,
    gid: entry.gid,
    mtime: mtimeOf(entry),
    linkname: Buffer.from(entry.link, 'latin1').toString('utf8'),
    ...(file && sha256 !== undefined ? { sha256 } : {}),
    ...(expected.dev === undefined ? {} : { dev: `${entry.major}:${entry.minor}` }),
  };
}

function wanted(expected: Expected): Expected {
  const type = KINDS[expected.type] ?? expected.type;
  return {
    name: expected.name,
    ...(expected.nameHex === undefined ? {} : { nameHex: expected.nameHex }),
    type,
    size: type === 'file' ? expected.size : 0,
    mode: (Number.parseInt(expected.mode, 8) & 0o7777).toString(8),
    uid: expected.uid,
    gid: expected.gid,
    mtime: expected.mtime,
    linkname: expected.linkname ?? '',
    ...(type === 'file' && expected.sha256?.length === 64 ? { sha256: expected.sha256 } : {}),
    ...(expected.dev === undefined ? {} : { dev: expected.dev }),
  };
}

const folder = corpus('tar-parse');
const cases = corpusJson<{ cases: Case[] }>('tar-parse/cases.json')?.cases ?? [];
// bzip2 and xz are no layer compressions.
const readable = cases.filter(({ file }) => !/\.(bz2|xz)$/.test(file));

describe.skipIf(folder === undefined)('archives of other suites', () => {
  it.each(readable.map((c) => [c.file, c] as const))('%s', (file, c) => {
    const path = join(folder as string, file);
    const stated = c.agreed ? undefined : c.statedBySource;
    const fails =
      c.expect?.ok === false || (stated !== undefined && (stated.error ?? stated.note?.includes('error')));
    if (fails) {
      expect(() => read(path)).toThrow(
        expect.toSatisfy(
          (error: unknown) => isOciError(error, 'LAYER_INVALID') || isOciError(error, 'LIMIT_EXCEEDED'),
        ),
      );
      return;
    }
    const entries = c.expect?.entries ?? c.goEntries ?? [];
    const found = read(path);
    expect(found.map(({ entry, sha256 }, i) => told(entry, sha256, entries[i] ?? ({} as Expected)))).toEqual(
      entries.map(wanted),
    );
    entries.forEach(({ pax = {} }, i) => {
      for (const [key, value] of Object.entries(pax).filter(([name]) => name.startsWith('SCHILY.xattr.'))) {
        const kept = found[i]?.entry.xattrs?.get(key.slice('SCHILY.xattr.'.length));
        expect(kept && Buffer.from(kept).toString('utf8')).toBe(value);
      }
    });
  });
});
