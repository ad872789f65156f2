// The file of sync: what it may say, and how each mistake is told with its line.
import { describe, expect, it, test } from 'vitest';
import { parseSyncFile, readSyncFile } from '../../src/client/sync-file.ts';

const parse = (text: string) => parseSyncFile(text, 'mirror.yaml');

describe('an entry', () => {
  it('says what goes where; a tag like 3.20 stays what it looks like', () => {
    const entries = parse(`# mirrors
- source: alpine
  target: localhost:5000/mirror/alpine
  tags: [3.20, '3.1*', latest]
  semver: '>=3.18 <4'
  limit: 5
  platforms: [linux/amd64, linux/arm64]
  referrers: true
- source: ghcr.io/org/app:1
  target: store
`);
    expect(entries).toMatchObject([
      {
        line: 2,
        source: { kind: 'registry', repository: { registry: 'docker.io', repository: 'library/alpine' } },
        target: { kind: 'registry', repository: { registry: 'localhost:5000', repository: 'mirror/alpine' } },
        tags: { tags: ['3.20', '3.1*', 'latest'], semver: '>=3.18 <4', limit: 5 },
        platforms: ['linux/amd64', 'linux/arm64'],
        referrers: true,
      },
      {
        line: 9,
        source: { tag: '1' },
        target: { kind: 'store', repository: undefined },
        tags: { tags: ['1'] },
        platforms: undefined,
        referrers: false,
      },
    ]);
  });
  it.each([
    ['store:team/app', { kind: 'store', repository: { repository: 'team/app' }, tag: undefined }],
    ['store:team/app:1', { kind: 'store', tag: '1' }],
    ['oci:./dir', { kind: 'oci', path: './dir', repository: undefined }],
    ['oci:./dir:team/app', { kind: 'oci', path: './dir', repository: { repository: 'team/app' } }],
    ['oci:./dir:localhost:5000/app:1', { kind: 'oci', repository: { registry: 'localhost:5000' }, tag: '1' }],
    ['docker://alpine', { kind: 'registry', tag: undefined }],
    ['localhost:5000/app', { kind: 'registry', tag: undefined }],
  ])('has the source %s', (source, expected) => {
    const tags = !('tag' in expected) || expected.tag === undefined ? "tags: '*'" : '';
    const [entry] = parse(`- source: ${source}\n  target: ghcr.io/x/y\n  ${tags}`);
    expect(entry?.source).toMatchObject(expected);
  });
  it('may share what it says by an anchor', () => {
    const entries = parse(
      "- {source: a, target: x/a, tags: '1', platforms: &both [linux/amd64, linux/arm64]}\n- {source: b, target: x/b, tags: '1', platforms: *both}",
    );
    expect(entries[1]?.platforms).toEqual(['linux/amd64', 'linux/arm64']);
  });
});

const good = '- source: alpine\n  target: x/alpine\n  tags: "*"\n';

describe('a mistake is told with its line and what was expected', () => {
  it.each([
    ['no list', 'source: alpine', /^mirror\.yaml:1: expected a list of entries/],
    ['nothing', '', /^mirror\.yaml:1: expected a list/],
    ['no YAML', `${good}- source: [`, /^mirror\.yaml:4: not YAML: /],
    ['a key twice', `${good}  tags: x`, /^mirror\.yaml:4: not YAML: .*unique/],
    ['two documents', `${good}---\n${good}`, /^mirror\.yaml:\d: not YAML/],
    ['a text for an entry', `${good}- alpine`, /^mirror\.yaml:4: expected an entry with source/],
    ['a key that is none', `${good}  tag: x`, /^mirror\.yaml:4: unknown key "tag"/],
    ['no target', '- source: alpine\n  tags: x', /^mirror\.yaml:1: an entry without target: expected NAME/],
    [
      'no tags',
      '- source: alpine\n  target: x/y',
      /^mirror\.yaml:1: expected tags, semver, or a tag in source/,
    ],
    [
      'a name that is none',
      '- source: No/Such\n  target: x/y',
      /^mirror\.yaml:1: source: not a valid image name/,
    ],
    [
      'an archive',
      '- source: a\n  target: oci-archive:x\n  tags: 1',
      /^mirror\.yaml:2: target: expected a registry/,
    ],
    [
      'a digest',
      `- source: a@sha256:${'0'.repeat(64)}\n  target: b`,
      /^mirror\.yaml:1: source: expected a repos/,
    ],
    ['tags twice', '- source: a:1\n  target: b\n  tags: 2', /^mirror\.yaml:1: source names the tag 1/],
    ['a tag for many', '- source: a\n  target: b:1\n  tags: "*"', /^mirror\.yaml:1: target names the tag 1/],
    [
      'an empty list',
      '- source: a\n  target: b\n  tags: []',
      /^mirror\.yaml:3: tags: expected a tag or glob/,
    ],
    ['a limit', `${good}  limit: many`, /^mirror\.yaml:4: limit: expected a number of tags, not many/],
    ['a limit of none', `${good}  limit: 0`, /^mirror\.yaml:4: limit: expected a number/],
    ['a range', `${good}  semver: newest`, /^mirror\.yaml:4: semver: expected a range such as/],
    ['a platform', `${good}  platforms:\n  - linux/amd64\n  - mars`, /^mirror\.yaml:6: platforms: .*mars/],
    ['a yes', `${good}  referrers: yes`, /^mirror\.yaml:4: referrers: expected true or false, not yes/],
    ['a map for a text', `${good}  limit: {a: b}`, /^mirror\.yaml:4: limit: expected a number of tags/],
    [
      'no name anywhere',
      '- source: oci:dir\n  target: store\n  tags: x',
      /^mirror\.yaml:1: expected a name in target/,
    ],
  ])('%s', (_, text, message) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({
        code: 'SETTINGS_INVALID',
        message: expect.stringMatching(message) as unknown,
      }),
    );
  });
});

test('aliases that multiply are refused before they fill memory', () => {
  const lists = Array.from({ length: 30 }, (_, i) => `&a${i + 1} [*a${i}, *a${i}, *a${i}]`);
  const text = `- source: a\n  target: b\n  tags: [&a0 x, ${lists.join(', ')}]`;
  expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }));
});

test('a file that is not there', () => {
  expect(() => readSyncFile('/nonexistent/mirror.yaml')).toThrow(
    expect.objectContaining({ code: 'PATH_NOT_FOUND' }),
  );
});
