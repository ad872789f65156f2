// Every manifest, config and platform case of the corpora that asks something this project answers.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { parseConfig } from '../../src/manifest/config.ts';
import type { Platform } from '../../src/manifest/descriptor.ts';
import { documentType, parseDocument } from '../../src/manifest/document.ts';
import { parseObject } from '../../src/manifest/json.ts';
import { mediaTypeOf } from '../../src/manifest/media-types.ts';
import { formatPlatform, parsePlatform } from '../../src/manifest/platform.ts';
import { matchesPlatform, selectPlatform } from '../../src/manifest/platform-match.ts';
import { digestOf, parseDigest } from '../../src/reference/digest.ts';
import { corpus, corpusJson } from '../support/corpora.ts';

interface Case<I = unknown, E = Record<string, unknown>> {
  id: string;
  op?: string;
  dialect?: string;
  kind?: string;
  document?: string;
  input: I;
  expect: E;
}

const manifests = corpus('manifests');

function cases(path: string): Case[] {
  return corpusJson<{ cases: Case[] }>(path)?.cases ?? [];
}

const FILLER = {
  digest: parseDigest(`sha256:${'0'.repeat(64)}`),
  size: 2,
  mediaType: 'application/vnd.oci.image.config.v1+json',
};

/** A document, whatever its kind, through the reader a registry's answer goes through. */
function read(kind: string | undefined, document: string): void {
  if (kind === 'oci.config' || kind === 'docker.config') parseConfig(Buffer.from(document));
  else if (kind === 'oci.descriptor') {
    parseDocument(
      Buffer.from(`{"schemaVersion":2,"config":${JSON.stringify(FILLER)},"layers":[${document}]}`),
    );
  } else parseDocument(Buffer.from(document));
}

// Digests of algorithms nobody can verify are valid by the grammar; content behind them is refused here.
const UNVERIFIABLE = /"digest"\s*:\s*"(?!sha256:[a-f0-9]{64}"|sha384:[a-f0-9]{96}"|sha512:[a-f0-9]{128}")/;

describe.skipIf(manifests === undefined)('documents the image-spec calls valid', () => {
  for (const { id, kind, document = '' } of cases('manifests/manifest-valid.json')) {
    if (kind === 'oci.layout') continue;
    test(`${id} ${kind}`, () => {
      if (UNVERIFIABLE.test(document)) {
        expect(() => read(kind, document)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
      } else read(kind, document);
    });
  }
});

describe.skipIf(manifests === undefined)('documents the image-spec calls invalid', () => {
  for (const { id, kind, document = '' } of cases('manifests/manifest-invalid.json')) {
    if (kind === 'oci.layout') continue;
    test(`${id} ${kind}`, () => {
      try {
        read(kind, document);
      } catch (error) {
        expect(isOciError(error, kind === 'oci.config' ? 'CONFIG_INVALID' : 'MANIFEST_INVALID')).toBe(true);
        return;
      }
      expect.fail('was read');
    });
  }
});

describe.skipIf(manifests === undefined)('detection', () => {
  for (const { id, op, input, expect: wanted } of cases('manifests/manifest-detect.json')) {
    test(`${id} ${op}`, () => {
      if (op === 'contentType') {
        expect(mediaTypeOf(String(input))).toBe(wanted.mediaType);
        return;
      }
      const bytes = readFileSync(corpus((input as { file: string }).file)!);
      const mediaType = String(wanted.mediaType);
      if (wanted.mediaType === null) expect(() => parseDocument(bytes)).toThrow(/not JSON/);
      else if (mediaType.includes('manifest.v1+') && mediaType.includes('docker')) {
        expect(() => parseDocument(bytes)).toThrow(/schema 1/);
      } else expect(documentType(parseObject(bytes, id, 'MANIFEST_INVALID'), id)).toBe(mediaType);
    });
  }
});

test('real documents of Docker Hub and GCR keep their bytes and digests', () => {
  const folder = corpus('manifests/real');
  if (folder === undefined) return;
  const index = JSON.parse(readFileSync(`${folder}/index.json`, 'utf8')) as unknown;
  const listed = JSON.stringify(index).match(/[\w.-]+\.(?:manifest|manifest-list)\.json/g) ?? [];
  expect(listed.length).toBeGreaterThan(0);
  for (const file of new Set(listed)) {
    const bytes = readFileSync(`${folder}/${file}`);
    expect(JSON.stringify(index)).toContain(digestOf(parseDocument(bytes).raw));
  }
});

const PLATFORMS = cases('platforms/platform-cases.json');

describe.skipIf(manifests === undefined)('platforms', () => {
  for (const { id, op, dialect, input, expect: wanted } of PLATFORMS) {
    if (op === 'parse') {
      test(`${id} parse ${String(input)}`, () => {
        if (wanted.ok === false) expect(() => parsePlatform(String(input))).toThrow();
        else {
          expect(parsePlatform(String(input))).toEqual(wanted.platform);
          for (const other of (wanted.alsoMatches ?? []) as Platform[]) {
            expect(matchesPlatform(parsePlatform(String(input)), other)).toBe(true);
          }
        }
      });
    }
    // containerd writes the version into the system's parentheses; here it stands at the end, as in crane.
    if (op === 'format' && dialect?.startsWith('ggcr')) {
      test(`${id} format ${JSON.stringify(input)}`, () => {
        expect(formatPlatform(input as Platform)).toBe(wanted.formatted);
      });
    }
    if (op === 'sort.only') {
      test(`${id} best of ${JSON.stringify(input)}`, () => {
        const { want, candidates } = input as { want: string; candidates: string[] };
        const entries = candidates.map((text) => ({ ...FILLER, platform: parsePlatform(text) }));
        const best = selectPlatform(entries, parsePlatform(want));
        expect(best.platform).toEqual(parsePlatform((wanted.sorted as string[])[0]!));
      });
    }
    // `onlyStrict` and `onlyOS` are other questions; `only` is what a pull asks.
    if (op === 'match.only') {
      test(`${id} ${JSON.stringify(input)}`, () => {
        const { want, candidate } = input as { want: string; candidate: string };
        expect(matchesPlatform(parsePlatform(want), parsePlatform(candidate))).toBe(wanted.match);
      });
    }
    if (op === 'choose') {
      const { list, preferGzip, ...platform } = input as Platform & { list: string; preferGzip?: boolean };
      // c/image can be told to prefer gzip; here the smaller twin is always taken.
      if (preferGzip === true) continue;
      test(`${id} ${JSON.stringify(input)} ${dialect}`, () => {
        const document = parseDocument(readFileSync(corpus(list)!));
        if (document.kind !== 'index') throw new Error('an index was expected');
        const choose = () => selectPlatform(document.index.manifests, platform).digest;
        if (wanted.ok === false) expect(choose).toThrow(/no image for/);
        else expect(choose()).toBe(wanted.digest);
      });
    }
  }
});
