import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isOciError, OciError } from '../../src/errors.ts';
import type { Descriptor, Platform } from '../../src/manifest/descriptor.ts';
import { OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import {
  formatPlatform,
  hostPlatform,
  normalizePlatform,
  parsePlatform,
} from '../../src/manifest/platform.ts';
import { matchesPlatform, selectPlatform } from '../../src/manifest/platform-match.ts';
import { digestOf } from '../../src/reference/digest.ts';

const host = hostPlatform();

describe('what people write', () => {
  test.each<[string, Platform]>([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }],
    ['Linux/x86_64', { os: 'linux', architecture: 'amd64' }],
    ['linux/aarch64', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm/7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['linux/arm64/v8', { os: 'linux', architecture: 'arm64', variant: 'v8' }],
    ['linux/arm64/v9', { os: 'linux', architecture: 'arm64', variant: 'v9' }],
    ['linux/armhf', { os: 'linux', architecture: 'arm' }],
    ['linux/armel', { os: 'linux', architecture: 'arm', variant: 'v6' }],
    ['arm64', { os: host.os, architecture: 'arm64' }],
    ['arm/v6', { os: host.os, architecture: 'arm', variant: 'v6' }],
    ['windows', { ...host, os: 'windows' }],
    ['macos', { ...host, os: 'darwin' }],
    ['macos/arm64', { os: 'darwin', architecture: 'arm64' }],
    ['windows/amd64:10.0.17763', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763' }],
    ['windows(10.0.17763)/amd64', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763' }],
  ])('%s', (text, expected) => {
    expect(parsePlatform(text)).toEqual(expected);
  });

  test.each([
    '',
    '/',
    'linux/',
    'linux/*',
    'a/b/c/d',
    'nonsense',
    'constructor',
    'linux,amd64',
    'windows(%zz)',
  ])('refuses %j with a hint', (text) => {
    expect(() => parsePlatform(text)).toThrow(
      expect.objectContaining({ code: 'INVALID_PLATFORM', hint: expect.stringContaining('linux/amd64') }),
    );
  });

  test('any text is a platform or an OciError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z(/:.+%)]{0,20}$/)), (text) => {
        try {
          formatPlatform(parsePlatform(text));
        } catch (error) {
          expect(error).toBeInstanceOf(OciError);
        }
      }),
    );
  });

  test('what is formatted parses back', () => {
    for (const text of ['linux/arm/v7', 'windows/amd64:10.0.17763', 'linux/s390x']) {
      expect(formatPlatform(parsePlatform(text))).toBe(text);
    }
  });
});

function entry(platform: Platform | string | undefined, extra: Partial<Descriptor> = {}): Descriptor {
  const at = typeof platform === 'string' ? parsePlatform(platform) : platform;
  const base = {
    mediaType: OCI_MANIFEST,
    digest: digestOf(JSON.stringify([platform, extra])),
    size: 1,
    ...extra,
  };
  return at === undefined ? base : { ...base, platform: at };
}

/** Which of `there` is chosen for `wanted`, as an index into `there`. */
function choose(wanted: string, there: Descriptor[]): number {
  return there.indexOf(selectPlatform(there, parsePlatform(wanted)));
}

describe('the best entry of an index', () => {
  test.each<[string, string[], number]>([
    ['linux/amd64', ['linux/386', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/386', 'linux/arm64'], 0],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 1],
    ['linux/arm/v8', ['linux/arm/v5', 'linux/arm/v7', 'linux/arm/v6'], 1],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'], 1],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 1],
    ['linux/arm64', ['linux/amd64', 'linux/arm/v7'], 1],
    ['windows/amd64:10.0.17763', ['windows/amd64:10.0.20348.1', 'windows/amd64:10.0.17763.99'], 1],
    ['windows/amd64', ['linux/amd64', 'windows/amd64:10.0.20348.1'], 1],
  ])('%s of %j', (wanted, there, expected) => {
    expect(
      choose(
        wanted,
        there.map((text) => entry(text)),
      ),
    ).toBe(expected);
  });

  test('an entry that needs a feature comes after one that does not, but before none', () => {
    const gpu = entry({ os: 'linux', architecture: 'amd64', 'os.features': ['gpu'] });
    expect(choose('linux/amd64', [gpu, entry('linux/amd64')])).toBe(1);
    expect(choose('linux/amd64', [gpu])).toBe(0);
  });

  test('an entry without a platform is taken when nothing matches', () => {
    expect(choose('linux/amd64', [entry(undefined), entry('linux/amd64')])).toBe(1);
    expect(choose('linux/amd64', [entry('linux/s390x'), entry(undefined)])).toBe(1);
  });

  test('an attestation is never an image, and is not listed either', () => {
    const attestation = entry(
      { os: 'unknown', architecture: 'unknown' },
      { annotations: { 'vnd.docker.reference.type': 'attestation-manifest' } },
    );
    expect(choose('linux/amd64', [attestation, entry('linux/amd64')])).toBe(1);
    try {
      selectPlatform(
        [attestation, entry('linux/arm/v7'), entry('linux/s390x')],
        parsePlatform('linux/amd64'),
      );
      expect.fail('something was chosen');
    } catch (error) {
      expect(isOciError(error, 'PLATFORM_NOT_FOUND')).toBe(true);
      expect(error).toMatchObject({ message: 'the index: no image for linux/amd64' });
      expect((error as OciError).hint).toContain('linux/arm/v7, linux/s390x');
      expect((error as OciError).hint).not.toContain('unknown');
    }
  });

  test('a variant in capitals is that variant, as in containerd', () => {
    const there = entry({ os: 'linux', architecture: 'arm', variant: 'V7' });
    expect(choose('linux/arm/v8', [entry('linux/arm/v5'), there])).toBe(1);
  });

  test('a variant of many digits is no version to count down from', () => {
    expect(matchesPlatform(parsePlatform('linux/arm/v99999999999'), parsePlatform('linux/arm/v7'))).toBe(
      false,
    );
  });

  test('names of JavaScript built-ins in a hostile index are just unknown architectures', () => {
    const hostile = entry({ os: 'linux', architecture: 'constructor', variant: '__proto__' });
    expect(normalizePlatform(hostile.platform!).architecture).toBe('constructor');
    expect(choose('linux/amd64', [hostile, entry('linux/386')])).toBe(1);
    expect(matchesPlatform(parsePlatform('linux/amd64'), hostile.platform!)).toBe(false);
  });
});

test('the host is a platform that can be written', () => {
  expect(parsePlatform(formatPlatform(host))).toEqual(host);
});
