import { describe, expect, it } from 'vitest';
import { isOciError } from '../../src/errors.ts';
import { parseDigest } from '../../src/reference/digest.ts';
import {
  familiarReference,
  formatReference,
  formatRepository,
  parseReference,
  parseRepository,
  withDigest,
  withTag,
} from '../../src/reference/reference.ts';

const HEX = '1a3f5e7d9c1b3a5f7e9d1c3b5a7f9e1d3c5b7a9f1e3d5d7c9b1a3f5e7d9c1b3a';
const DIGEST = parseDigest(`sha256:${HEX}`);

describe('a name as docker pull takes it', () => {
  it.each([
    ['alpine', { registry: 'docker.io', repository: 'library/alpine', tag: 'latest' }],
    ['microsoft/dotnet', { registry: 'docker.io', repository: 'microsoft/dotnet', tag: 'latest' }],
    ['index.docker.io/alpine:3', { registry: 'docker.io', repository: 'library/alpine', tag: '3' }],
    ['registry-1.docker.io/a/b', { registry: 'docker.io', repository: 'a/b', tag: 'latest' }],
    ['localhost/a', { registry: 'localhost', repository: 'a', tag: 'latest' }],
    ['localhost:5000/a/b', { registry: 'localhost:5000', repository: 'a/b', tag: 'latest' }],
    ['localhost:5000', { registry: 'docker.io', repository: 'library/localhost', tag: '5000' }],
    ['[::1]:5000/a:b', { registry: '[::1]:5000', repository: 'a', tag: 'b' }],
    ['MyHost/a', { registry: 'MyHost', repository: 'a', tag: 'latest' }],
  ])('%s', (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it('has no default tag when there is a digest', () => {
    expect(parseReference(`alpine@${DIGEST}`)).toEqual({
      registry: 'docker.io',
      repository: 'library/alpine',
      digest: DIGEST,
    });
  });

  it('keeps both tag and digest', () => {
    expect(parseReference(`alpine:3.20@${DIGEST}`)).toMatchObject({ tag: '3.20', digest: DIGEST });
  });
});

describe('what is refused says why', () => {
  it.each([
    ['', /empty/, /alpine/],
    ['Alpine', /lower case/, /did you mean alpine\?/],
    ['ghcr.io/Owner/App:Tag', /lower case/, /did you mean ghcr\.io\/owner\/app\?/],
    ['https://ghcr.io/a/b:1', /https:\/\//, /write ghcr\.io\/a\/b:1/],
    ['docker://alpine', /docker:\/\//, /write alpine/],
    [HEX, /ID/, /NAME@sha256:1a3f/],
    [DIGEST, /digest alone/, /NAME@sha256:1a3f/],
    ['alpine ', /white space/, /without/],
    ['alpine:', /no tag after the colon/, /1 to 128/],
    [`alpine:@${DIGEST}`, /no tag after the colon/, /1 to 128/],
    [`alpine:${'x'.repeat(129)}`, /not a tag/, /1 to 128/],
    [':3.20', /no name/, /alpine/],
    ['alpine@sha256:abc', /not a digest/, /64/],
    ['a//b', /empty component/, /alpine/],
    ['bad_host.com:8080/a', /not a host/, /letters, digits/],
    ['fc00::1:5000/debian', /not a host/, /\[fc00::1:5000\]/],
    ['[1::2::3]/a', /not a host/, /letters, digits/],
    ['host:70000/a', /65535/, /65535/],
    [`ghcr.io/${'a'.repeat(256)}`, /longer than 255/, /shorten/],
    ['a/-b', /not a repository/, /lower-case letters/],
  ])('%j', (text, reason, hint) => {
    const error = failure(() => parseReference(text));
    expect(error.message).toMatch(reason);
    expect(error.message).not.toMatch(/\n/);
    expect(error.hint).toMatch(hint);
  });

  it('without repeating a password', () => {
    const error = failure(() => parseReference('https://me:hunter2@ghcr.io/a/b'));
    expect(`${error.message} ${error.hint}`).not.toContain('hunter2');
  });
});

describe('formatting', () => {
  it('gives the full and the familiar form', () => {
    const reference = parseReference(`alpine:3.20@${DIGEST}`);
    expect(formatReference(reference)).toBe(`docker.io/library/alpine:3.20@${DIGEST}`);
    expect(familiarReference(reference)).toBe(`alpine:3.20@${DIGEST}`);
    expect(formatRepository(reference)).toBe('docker.io/library/alpine');
  });

  it.each([
    ['docker.io/library/foo/bar', 'library/foo/bar:latest'],
    ['docker.io/a/b', 'a/b:latest'],
    ['ghcr.io/library/a', 'ghcr.io/library/a:latest'],
    ['docker.io/foo.bar/baz', 'docker.io/foo.bar/baz:latest'],
    ['docker.io/localhost/baz', 'docker.io/localhost/baz:latest'],
    ['docker.io/library/foo.bar', 'foo.bar:latest'],
    ['docker.io/docker.io/library/foo', 'docker.io/docker.io/library/foo:latest'],
  ])('familiar form of %s', (text, familiar) => {
    expect(familiarReference(parseReference(text))).toBe(familiar);
  });

  it('replaces the tag or digest', () => {
    const reference = parseReference('alpine:3.20');
    expect(formatReference(withDigest(reference, DIGEST))).toBe(`docker.io/library/alpine@${DIGEST}`);
    expect(formatReference(withTag(withDigest(reference, DIGEST), 'edge'))).toBe(
      'docker.io/library/alpine:edge',
    );
    expect(failure(() => withTag(reference, 'no/tag')).message).toMatch(/not a tag/);
  });
});

describe('a repository', () => {
  it('is named without tag or digest', () => {
    expect(parseRepository('ghcr.io/a/b')).toEqual({ registry: 'ghcr.io', repository: 'a/b' });
    expect(parseRepository('alpine')).toEqual({ registry: 'docker.io', repository: 'library/alpine' });
    expect(failure(() => parseRepository('alpine:3')).hint).toBe('write alpine');
    expect(failure(() => parseRepository(`a/b@${DIGEST}`)).hint).toBe('write a/b');
    expect(failure(() => parseRepository('A')).message).toMatch(/not a valid repository/);
  });
});

function failure(action: () => unknown) {
  try {
    action();
  } catch (error) {
    if (isOciError(error, 'INVALID_REFERENCE')) return error;
    throw error;
  }
  throw new Error('was accepted');
}
