// Reference and digest cases taken from the test tables of other clients.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf, isDigest, parseDigest } from '../../src/reference/digest.ts';
import {
  isDomain,
  isIdentifier,
  isRepositoryPath,
  isTag,
  splitReference,
} from '../../src/reference/grammar.ts';
import {
  familiarReference,
  formatReference,
  formatRepository,
  parseReference,
  parseRepository,
  type Reference,
} from '../../src/reference/reference.ts';
import { isLoopbackRegistry, isRegistry } from '../../src/reference/registry-host.ts';
import { corpus, corpusJson } from '../support/corpora.ts';

interface ReferenceCase {
  id: string;
  op: string;
  dialect: string;
  input: string;
  dialectsDisagree?: boolean;
  expect: Record<string, unknown> & { ok?: boolean; match?: boolean; groups?: string[]; string?: string };
}

interface DigestCase {
  id: string;
  op: string;
  input: string & { blob: string; digest: string; file: string };
  expect: { ok: boolean; sha256: string; sha512: string };
}

const references = corpusJson<{ cases: ReferenceCase[] }>('references/reference-cases.json')?.cases ?? [];
const digests = corpusJson<{ cases: DigestCase[] }>('digests/digest-cases.json')?.cases ?? [];

function of(dialect: string): [string, ReferenceCase][] {
  return references
    .filter((test) => test.dialect.startsWith(dialect))
    .map((test) => [`${test.dialect} ${JSON.stringify(test.input).slice(0, 90)} ${test.id}`, test]);
}

describe.skipIf(references.length === 0)('references', () => {
  it.each(of('docker.normalized'))('%s', (_, { input, expect: want }) => {
    if (!want.ok) return expect(() => parseReference(input)).toThrow(/not a valid image name/);
    const reference = parseReference(input);
    if (want.domain !== undefined) expect(reference.registry).toBe(want.domain);
    if (want.path !== undefined) expect(reference.repository).toBe(want.path);
    const written = withoutDefaultTag(reference, input);
    if (want.string !== undefined) expect(formatReference(written)).toBe(want.string);
    if (want.familiar !== undefined) expect(familiarReference(written)).toBe(want.familiar);
  });

  // docker.any also takes image IDs; `docker pull` does not.
  it.each(of('docker.any'))('%s', (_, { input, expect: want }) => {
    if (want.isDigestOnly) return expect(() => parseReference(input)).toThrow(/an ID/);
    expect(formatReference(withoutDefaultTag(parseReference(input), input))).toBe(want.string);
  });

  it.each(of('docker.ref'))('%s', (_, { input, expect: want }) => {
    const { tag, ...rest } = parseReference(input);
    const winner = rest.digest === undefined && tag !== undefined ? { ...rest, tag } : rest;
    expect(formatReference(winner)).toBe(want.string);
  });

  it.each(of('distribution.parse'))('%s', (_, { input, expect: want, dialect }) => {
    const parts = splitReference(input);
    const name = splitName(parts.name);
    let ok =
      name !== undefined &&
      (parts.tag === undefined || isTag(parts.tag)) &&
      (parts.digest === undefined || isDigest(parts.digest));
    if (dialect === 'distribution.parseNamed') {
      ok &&= formatRepository(parseRepository(input)) === input;
    }
    expect(ok).toBe(want.ok);
    if (!ok) return;
    if (want.name !== undefined) expect(parts.name).toBe(want.name);
    expect(name![0]).toBe(want.domain);
    if (want.path !== undefined) expect(name![1]).toBe(want.path);
    if (want.tag !== undefined) expect(parts.tag ?? '').toBe(want.tag);
    if (want.digest !== undefined) expect(parts.digest ?? '').toBe(want.digest);
  });

  it.each([...of('distribution.withName'), ...of('distribution.regexp:name')])(
    '%s',
    (_, { input, expect: want }) => {
      const name = splitName(input);
      expect(name !== undefined).toBe(want.ok ?? want.match);
      if (want.groups !== undefined) expect(name).toEqual(want.groups);
      if (want.path !== undefined) expect(name).toEqual([want.domain, want.path]);
    },
  );

  it.each(of('distribution.regexp:domain'))('%s', (_, { input, expect: want }) => {
    expect(isDomain(input)).toBe(want.match);
  });

  it.each(of('distribution.regexp:64-hex'))('%s', (_, { input, expect: want }) => {
    expect(isIdentifier(input)).toBe(want.match);
  });

  it.each(of('distribution.regexp:reference'))('%s', (_, { input, expect: want }) => {
    const { name, tag, digest } = splitReference(input);
    const match =
      splitName(name) !== undefined &&
      (tag === undefined || isTag(tag)) &&
      (digest === undefined || isDigest(digest));
    expect(match).toBe(want.match);
    if (want.groups !== undefined) expect([name, tag ?? '', digest ?? '']).toEqual(want.groups);
  });

  it.each(of('ggcr.registryScheme'))('%s', (_, { input, expect: want }) => {
    expect(isLoopbackRegistry(input) ? 'http' : 'https').toBe(want.scheme);
  });

  it.each(of('ggcr.registry.strict'))('%s', (_, { input, expect: want }) => {
    expect(isRegistry(input)).toBe(want.ok);
  });

  it.each(of('ggcr.repo'))('%s', (_, { input, expect: want }) => {
    expect(accepts(() => parseRepository(input))).toBe(want.ok);
  });

  it.each([...of('ggcr.tag'), ...of('ggcr.digest')])('%s', (_, { input, expect: want }) => {
    expect(accepts(() => parseReference(input))).toBe(want.ok);
  });

  // Other clients' extras that `docker pull` refuses: schemes before the name, an empty tag before a digest, a host ending in a dot.
  const notDocker = /^[a-z]+:\/\/|:@|^[^/]*\.(?::\d+)?\//;
  it.each([...of('regclient'), ...of('oras')].filter(([, test]) => !test.dialectsDisagree))(
    '%s',
    (_, { input, expect: want }) => {
      const ok = want.ok && !notDocker.test(input);
      expect(accepts(() => parseReference(input))).toBe(ok);
      if (!ok) return;
      const reference = parseReference(input);
      expect([reference.registry, reference.repository]).toEqual([want.registry, want.path]);
      expect(reference.digest ?? '').toBe(want.digest);
      if (want.tag !== '') expect(reference.tag).toBe(want.tag);
    },
  );
});

describe.skipIf(digests.length === 0)('digests', () => {
  it.each(digests.map((test) => [`${test.op} ${test.id}`, test] as const))(
    '%s',
    (_, { op, input, expect: want }) => {
      switch (op) {
        case 'parse':
          return expect(accepts(() => parseDigest(input))).toBe(want.ok);
        case 'verifyBlob':
          return expect(isDigest(input.digest) && digestOf(input.blob) === input.digest).toBe(want.ok);
        case 'manifestDigest': {
          const bytes = readFileSync(join(corpus('.')!, input.file));
          // a signed schema 1 manifest has the digest of its payload; we do not read those
          if (input.file.includes('v2s1') && !input.file.includes('unsigned')) return;
          expect(digestOf(bytes)).toBe(want.sha256);
          expect(digestOf(bytes, 'sha512')).toBe(want.sha512);
          return;
        }
        default:
          throw new Error(`no test for ${op}`);
      }
    },
  );
});

// docker.normalized and docker.any are from before the default tag is added.
function withoutDefaultTag(reference: Reference, input: string): Reference {
  if (splitReference(input).tag !== undefined || reference.digest !== undefined) return reference;
  return { registry: reference.registry, repository: reference.repository };
}

function splitName(name: string): [domain: string, path: string] | undefined {
  const slash = name.indexOf('/');
  const [first, rest] = [name.slice(0, Math.max(slash, 0)), name.slice(slash + 1)];
  if (slash !== -1 && isDomain(first) && isRepositoryPath(rest)) return [first, rest];
  return isRepositoryPath(name) ? ['', name] : undefined;
}

function accepts(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
