// policy.json: what is read, what is refused with the place named, which part is for an image, and whose name fits.
import { describe, expect, it } from 'vitest';
import { parseReference } from '../../src/reference/reference.ts';
import { duplicateMember } from '../../src/verify/duplicate-member.ts';
import { parsePolicy } from '../../src/verify/policy-file.ts';
import { requirementsFor, scopesOf } from '../../src/verify/policy-scope.ts';
import { fitsSignedIdentity, type SignedIdentity } from '../../src/verify/signed-identity.ts';

const KEY = { type: 'sigstoreSigned', keyPath: '/etc/key.pub' };

function parse(policy: unknown): ReturnType<typeof parsePolicy> {
  return parsePolicy(typeof policy === 'string' ? policy : JSON.stringify(policy), 'policy.json');
}

function requirement(value: object): ReturnType<typeof parsePolicy> {
  return parse({ default: [value] });
}

describe('what is read', () => {
  it("takes Debian's", () => {
    const text = '{\n  "default": [ { "type": "insecureAcceptAnything" } ]\n}';
    expect(parse(text)).toEqual({
      name: 'policy.json',
      default: [{ type: 'insecureAcceptAnything' }],
      transports: {},
    });
  });
  it("takes Fedora's, which wants GPG of Red Hat", () => {
    const gpg = {
      type: 'signedBy',
      keyType: 'GPGKeys',
      keyPaths: ['/etc/pki/rpm-gpg/RPM-GPG-KEY-redhat-release'],
    };
    const policy = parse({
      default: [{ type: 'insecureAcceptAnything' }],
      transports: {
        docker: { 'registry.access.redhat.com': [gpg] },
        'docker-daemon': { '': [{ type: 'insecureAcceptAnything' }] },
      },
    });
    expect(policy.transports.docker).toEqual({ 'registry.access.redhat.com': [{ type: 'signedBy' }] });
  });
  it('takes keys and authorities, by path and by content', () => {
    const keyDatas = [Buffer.from('one').toString('base64'), Buffer.from('two').toString('base64')];
    expect(requirement({ type: 'sigstoreSigned', keyDatas }).default).toEqual([
      {
        type: 'sigstoreSigned',
        keys: [{ pem: 'one' }, { pem: 'two' }],
        logs: [],
        signedIdentity: { type: 'matchRepoDigestOrExact' },
      },
    ]);
    const fulcio = { caPath: '/ca', oidcIssuer: 'https://issuer', subjectEmail: 'me@example.com' };
    expect(requirement({ type: 'sigstoreSigned', fulcio, rekorPublicKeyPath: '/log' }).default).toMatchObject(
      [
        {
          keys: [],
          fulcio: { authorities: { path: '/ca' }, subjectEmail: 'me@example.com' },
          logs: [{ path: '/log' }],
        },
      ],
    );
  });
});

describe('what is refused', () => {
  const fulcio = { caPath: '/ca', oidcIssuer: 'https://issuer', subjectEmail: 'me@example.com' };
  it.each<[unknown, RegExp]>([
    ['', /it is not JSON/],
    ['[]', /the policy is not an object/],
    [
      '{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}',
      /"default" stands twice/,
    ],
    [{}, /default is not a list/],
    [{ default: [] }, /default is not a list with requirements/],
    [{ default: [{ type: 'reject' }], Default: [] }, /unknown member "Default"/],
    [{ default: [{}] }, /default\[0\].type is missing/],
    [{ default: [{ type: 'signedBySomebody' }] }, /default\[0\].type: unknown/],
    [{ default: [{ type: 'reject', why: 'x' }] }, /default\[0\]: unknown member "why"/],
    [{ default: [{ type: 'reject' }], transports: { docker: [] } }, /transports.docker is not an object/],
    [
      { default: [{ type: 'reject' }], transports: { docker: { 'a.b/c': [] } } },
      /transports.docker\["a.b\/c"\] is not a list/,
    ],
    [{ default: [{ type: 'sigstoreSigned' }] }, /neither a key nor fulcio/],
    [{ default: [{ ...KEY, keyData: 'AAAA' }] }, /more than one of keyPath, keyData/],
    [{ default: [{ type: 'sigstoreSigned', keyPaths: 'x' }] }, /keyPaths is not a list/],
    [{ default: [{ type: 'sigstoreSigned', keyPath: ['x'] }] }, /keyPath is not text/],
    [{ default: [{ type: 'sigstoreSigned', keyPaths: [] }] }, /keyPaths is not a list/],
    [{ default: [{ ...KEY, fulcio, rekorPublicKeyPath: '/log' }] }, /both a key and fulcio/],
    [{ default: [{ type: 'sigstoreSigned', fulcio }] }, /fulcio without rekorPublicKeyPath/],
    [
      {
        default: [
          { type: 'sigstoreSigned', fulcio: { ...fulcio, oidcIssuer: undefined }, rekorPublicKeyPath: 'x' },
        ],
      },
      /fulcio.oidcIssuer is missing/,
    ],
    [{ default: [{ type: 'sigstoreSigned', pki: {} }] }, /pki is not supported/],
    [{ default: [{ ...KEY, signedIdentity: { type: 'matchAnything' } }] }, /signedIdentity.type: unknown/],
    [{ default: [{ ...KEY, signedIdentity: { type: 'toString' } }] }, /signedIdentity.type: unknown/],
    [{ default: [{ ...KEY, signedIdentity: { type: 'exactReference' } }] }, /dockerReference is missing/],
    [
      { default: [{ ...KEY, signedIdentity: { type: 'matchExact', prefix: 'x' } }] },
      /unknown member "prefix"/,
    ],
  ])('%j', (policy, message) => {
    expect(() => parse(policy)).toThrow(message);
    expect(() => parse(policy)).toThrow(/^policy\.json: /);
  });
  it('finds what stands twice, however deep, and only in one object', () => {
    expect(duplicateMember('{"a":{"b":1},"c":[{"b":1},{"b":2}],"d":"a"}')).toBeUndefined();
    expect(duplicateMember('{"a":[{"b":1,"c":{},"b":2}]}')).toBe('b');
    expect(duplicateMember('{"a":1,"\\u0061":2}')).toBe('a');
    expect(duplicateMember('{"a":"{\\"a\\":","b":"\\\\","c":1}')).toBeUndefined();
  });
});

describe('the part that is for an image', () => {
  it('is the most specific', () => {
    expect(scopesOf(parseReference('registry.example.com:5000/a/b/c:1'))).toEqual([
      'registry.example.com:5000/a/b/c:1',
      'registry.example.com:5000/a/b/c',
      'registry.example.com:5000/a/b',
      'registry.example.com:5000/a',
      'registry.example.com:5000',
      '*.example.com',
      '*.com',
      '',
    ]);
    expect(scopesOf(parseReference('alpine'))[0]).toBe('docker.io/library/alpine:latest');
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(scopesOf(parseReference(`alpine:3@${digest}`))[0]).toBe(`docker.io/library/alpine@${digest}`);
  });
  it('is in no other transport, and not what every object has', () => {
    const policy = parse({
      default: [{ type: 'reject' }],
      transports: { atomic: { 'docker.io': [{ type: 'insecureAcceptAnything' }] } },
    });
    expect(requirementsFor(policy, parseReference('alpine'))).toEqual({
      scope: 'default',
      requirements: [{ type: 'reject' }],
    });
    expect(requirementsFor(policy, parseReference('constructor/x:1')).scope).toBe('default');
  });
});

describe('whose name fits', () => {
  const digest = `@sha256:${'a'.repeat(64)}`;
  const remap = { type: 'remapIdentity', prefix: 'mirror.local/vendor', signedPrefix: 'vendor.com' } as const;
  it.each<[SignedIdentity, string, string, boolean]>([
    [{ type: 'matchExact' }, 'a.b/c:1', 'a.b/c:1', true],
    [{ type: 'matchExact' }, 'a.b/c:1', 'a.b/c:2', false],
    [{ type: 'matchExact' }, 'a.b/c:latest', 'a.b/c', false],
    [{ type: 'matchExact' }, `a.b/c${digest}`, 'a.b/c:1', false],
    [{ type: 'matchExact' }, 'alpine:1', 'docker.io/library/alpine:1', true],
    [{ type: 'matchRepoDigestOrExact' }, 'a.b/c:1', 'a.b/c:1', true],
    [{ type: 'matchRepoDigestOrExact' }, 'a.b/c:1', 'a.b/c:2', false],
    [{ type: 'matchRepoDigestOrExact' }, `a.b/c${digest}`, 'a.b/c:2', true],
    [{ type: 'matchRepoDigestOrExact' }, `a.b/c${digest}`, 'a.b/c', false],
    [{ type: 'matchRepoDigestOrExact' }, `a.b/c${digest}`, 'a.b/d:2', false],
    [{ type: 'matchRepository' }, 'a.b/c:1', 'a.b/c', true],
    [{ type: 'matchRepository' }, 'a.b/c:1', 'a.b/c:9', true],
    [{ type: 'matchRepository' }, 'a.b/c:1', 'a.b/c/d', false],
    [{ type: 'matchRepository' }, 'a.b/c:1', '', false],
    [{ type: 'matchRepository' }, 'a.b/c:1', 'a.b/c:not a tag', false],
    [{ type: 'exactReference', dockerReference: 'v.com/x:1' }, 'a.b/c:1', 'v.com/x:1', true],
    [{ type: 'exactReference', dockerReference: 'v.com/x:1' }, 'a.b/c:1', 'a.b/c:1', false],
    [{ type: 'exactReference', dockerReference: 'v.com/x' }, 'a.b/c:1', 'v.com/x:latest', false],
    [{ type: 'exactRepository', dockerRepository: 'v.com/x' }, 'a.b/c:1', 'v.com/x:1', true],
    [{ type: 'exactRepository', dockerRepository: 'v.com/x' }, 'a.b/c:1', 'v.com/xy:1', false],
    [remap, 'mirror.local/vendor/app:1', 'vendor.com/app:1', true],
    [remap, 'mirror.local/vendor/app:1', 'vendor.com/app:2', false],
    [remap, `mirror.local/vendor/app${digest}`, 'vendor.com/app:2', true],
    [remap, 'mirror.local/vendor-x/app:1', 'vendor.com-x/app:1', false],
    [remap, 'mirror.local/vendor-x/app:1', 'mirror.local/vendor-x/app:1', true],
    [{ ...remap, prefix: 'mirror.local' }, 'mirror.local/app:1', 'vendor.com/app:1', true],
    [{ ...remap, prefix: 'mirror.local' }, 'mirror.local:5000/app:1', 'vendor.com:5000/app:1', false],
  ])('%j: %s signed as %s', (rule, asked, claimed, fits) => {
    expect(fitsSignedIdentity(rule, parseReference(asked), claimed)).toBe(fits);
  });
});
