import { describe, expect, it } from 'vitest';
import { addressKind } from '../../src/registry/address.ts';
import { realmAllowed, resolveRealm } from '../../src/registry/realm.ts';
import { corpusJson } from '../support/corpora.ts';

interface RealmCase {
  id: string;
  op: string;
  input: { realm: string; registryHost: string; insecureRegistry: boolean; registryUrl: string };
  expect: { allowed: boolean; url: string };
}

const cases = corpusJson<{ cases: RealmCase[] }>('auth/auth-cases.json')?.cases ?? [];
const ofOp = (op: string): [string, RealmCase][] =>
  cases.filter((entry) => entry.op === op).map((entry) => [entry.id, entry]);

describe('a realm', () => {
  it.each(ofOp('realmAllowed'))('corpus %s', (_id, { input, expect: expected }) => {
    const registry = new URL(`${input.insecureRegistry ? 'http' : 'https'}://${input.registryHost}/v2/`);
    expect(realmAllowed(resolveRealm(input.realm, registry), registry)).toBe(expected.allowed);
  });

  it.each(ofOp('realmResolve'))('corpus %s', (_id, { input, expect: expected }) => {
    expect(resolveRealm(input.realm, new URL(input.registryUrl)).href).toBe(expected.url);
  });

  it.each([
    ['https://registry.example.com', 'http://auth.example.com/token', false],
    ['http://registry.example.com', 'http://auth.example.com/token', true],
    ['http://192.168.0.127:5089', 'http://192.168.0.127/jwt/auth', true],
    ['https://10.0.0.5', 'https://10.0.0.6/token', true],
    ['https://10.0.0.5', 'https://127.0.0.1/token', false],
    ['http://127.0.0.1:5000', 'http://localhost:5001/token', true],
    ['https://169.254.1.1', 'https://169.254.169.254/token', false],
    ['https://registry.example.com', 'https://[::ffff:169.254.169.254]/token', false],
    ['https://registry.example.com', 'https://2130706433/token', false],
    ['https://registry.example.com', 'https://localhost./token', false],
    ['https://registry.example.com', 'https://100.100.100.200/token', false],
    ['https://registry.example.com', 'https://0.0.0.0/token', false],
    ['https://registry.example.com', 'https://[fd00:ec2::254]/token', false],
  ])('%s may send us to %s: %s', (registry, realm, allowed) => {
    expect(realmAllowed(new URL(realm), new URL(registry))).toBe(allowed);
  });

  it('on a private network is fine for a registry whose name resolves there', () => {
    const registry = new URL('https://registry.corp');
    expect(realmAllowed(new URL('https://10.0.0.6/token'), registry, ['public', 'private'])).toBe(true);
    expect(realmAllowed(new URL('https://169.254.169.254/'), registry, ['public', 'link-local'])).toBe(false);
  });

  it.each(['file:///etc/passwd', 'gopher://x/', 'https://'])(
    'that is no web address is refused: %s',
    (realm) => {
      expect(() => resolveRealm(realm, new URL('https://registry.example.com'))).toThrow(
        expect.objectContaining({ code: 'UNAUTHORIZED' }),
      );
    },
  );

  it('loses credentials written into it', () => {
    const realm = resolveRealm('https://a:b@auth.example.com/token', new URL('https://registry.example.com'));
    expect(realm.href).toBe('https://auth.example.com/token');
  });
});

describe('addressKind', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['[fe80::1]', 'link-local'],
    ['[::1]', 'loopback'],
    ['a.localhost', 'loopback'],
    ['notlocalhost', 'public'],
    ['[2001:4860:4860::8888]', 'public'],
  ])('%s is %s', (host, kind) => {
    expect(addressKind(host)).toBe(kind);
  });
});
