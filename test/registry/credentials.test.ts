import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type CredentialSource, fileCredentials } from '../../src/registry/credentials.ts';
import { corpus } from '../support/corpora.ts';
import { base64, basicCredential, setUpCredentialHome } from '../support/credential-home.ts';

const home = setUpCredentialHome();

describe('files', () => {
  const entry = (text: string): object => ({ auths: { 'example.com': { auth: base64(text) } } });

  it.each([
    ['docker’s', '.docker/config.json', {}],
    ['docker’s by $DOCKER_CONFIG', 'elsewhere/config.json', { DOCKER_CONFIG: 'elsewhere' }],
    ['podman’s of the session', 'run/containers/auth.json', { XDG_RUNTIME_DIR: 'run' }],
    ['podman’s lasting one', '.config/containers/auth.json', {}],
    ['podman’s by $XDG_CONFIG_HOME', 'conf/containers/auth.json', { XDG_CONFIG_HOME: 'conf' }],
    ['$REGISTRY_AUTH_FILE', 'some/auth.json', { REGISTRY_AUTH_FILE: 'some/auth.json' }],
  ])('%s is read', async (_name, path, env) => {
    home.write(path, entry('me:secret'));
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, home.path(value));
    expect(await fileCredentials()('example.com', 'app')).toEqual(basicCredential('me', 'secret'));
    expect(await fileCredentials()('other.example.com', 'app')).toBeUndefined();
  });

  it('are read in order, and the first that knows the registry wins', async () => {
    vi.stubEnv('REGISTRY_AUTH_FILE', home.write('first.json', { auths: {} }));
    home.write('.docker/config.json', entry('docker:1'));
    home.write('.config/containers/auth.json', entry('podman:2'));
    expect(await fileCredentials()('example.com')).toEqual(basicCredential('docker', '1'));
  });

  it('--authfile is the only one when given', async () => {
    home.write('.docker/config.json', entry('docker:1'));
    const authFile = home.write('own.json', { auths: {} });
    expect(await fileCredentials({ authFile })('example.com')).toBeUndefined();
    expect(await fileCredentials({ authFile: home.path('missing.json') })('example.com')).toBeUndefined();
  });

  it.each([
    ['no JSON', '{', 'not a JSON object'],
    ['an array', '[]', 'not a JSON object'],
    [
      'an auth without a colon',
      { auths: { 'example.com': { auth: base64('nothing') } } },
      'base64 of user:password',
    ],
  ])('with %s are an error that names them', async (_name, content, message) => {
    const file = home.write('.docker/config.json', content);
    await expect(fileCredentials()('example.com')).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: expect.stringMatching(new RegExp(`${file}.*${message}`)),
    });
  });

  it('that are empty hold nothing', async () => {
    home.write('.docker/config.json', '');
    expect(await fileCredentials()('example.com')).toBeUndefined();
  });
});

describe('entries', () => {
  const find = (auths: object, registry: string, repository?: string): ReturnType<CredentialSource> => {
    home.write('.docker/config.json', { auths });
    return fileCredentials()(registry, repository);
  };
  const auth = (text: string): object => ({ auth: base64(text) });

  it.each([
    'https://index.docker.io/v1/',
    'https://index.docker.io/v1',
    'index.docker.io',
    'docker.io',
    'registry-1.docker.io',
  ])('of Docker Hub may be under %s', async (key) => {
    expect(await find({ [key]: auth('me:hub') }, 'docker.io', 'library/alpine')).toEqual(
      basicCredential('me', 'hub'),
    );
  });

  it('of the longest prefix of the name win', async () => {
    const auths = {
      'example.com': auth('host:1'),
      'example.com/team': auth('team:2'),
      'example.com/team/app': auth('app:3'),
      'example.com/te': auth('wrong:4'),
    };
    expect(await find(auths, 'example.com', 'team/app')).toEqual(basicCredential('app', '3'));
    expect(await find(auths, 'example.com', 'team/other')).toEqual(basicCredential('team', '2'));
    expect(await find(auths, 'example.com', 'teams/app')).toEqual(basicCredential('host', '1'));
    expect(await find(auths, 'example.com')).toEqual(basicCredential('host', '1'));
  });

  it('of another port are of another registry', async () => {
    expect(await find({ 'localhost:5001': auth('a:b') }, 'localhost:5000')).toBeUndefined();
  });

  it('may have colons and NUL padding in the password', async () => {
    expect(await find({ h: auth('u:p:q\0\0') }, 'h')).toEqual(basicCredential('u', 'p:q'));
  });

  it('may name user and password apart', async () => {
    expect(await find({ h: { username: 'u', password: 'p' } }, 'h')).toEqual(basicCredential('u', 'p'));
  });

  it('may hold a refresh token, or a bearer token', async () => {
    const identity = { auth: base64('00000000-0000-0000-0000-000000000000:'), identitytoken: 'long' };
    expect(await find({ h: identity }, 'h')).toEqual({
      type: 'refresh',
      refreshToken: 'long',
      username: '00000000-0000-0000-0000-000000000000',
    });
    expect(await find({ h: { registrytoken: 'jwt' } }, 'h')).toEqual({ type: 'bearer', token: 'jwt' });
  });

  it('that are empty say nothing', async () => {
    expect(await find({ h: {} }, 'h')).toBeUndefined();
  });
});

const folder = corpus('auth/docker-config');

describe.skipIf(folder === undefined)('corpus docker-config', () => {
  it.each([
    ['example.org', basicCredential('example', 'org')],
    ['docker.io', basicCredential('index', 'docker.io')],
    ['127.0.0.1:5000', basicCredential('127.0', '0.1-5000')],
    ['localhost', basicCredential('local', 'host')],
    ['localhost:5001', basicCredential('local', 'host-5001')],
    ['localhost:5000', basicCredential('local', 'host-5000')],
    ['localhost:5002', undefined],
  ])('abnormal.json: %s', async (registry, expected) => {
    expect(await fileCredentials({ authFile: join(folder!, 'abnormal.json') })(registry)).toEqual(expected);
  });

  it('example_identitytoken.json', async () => {
    const authFile = join(folder!, 'example_identitytoken.json');
    expect(await fileCredentials({ authFile })('example.org')).toEqual({
      type: 'refresh',
      refreshToken: 'some very long identity token',
      username: '00000000-0000-0000-0000-000000000000',
    });
  });

  it('docker-credential-helper-registry answers through credHelpers', async () => {
    home.script('helper-registry', readFileSync(join(folder!, 'docker-credential-helper-registry'), 'utf8'));
    const hosts = ['registry-a.com', 'registry-b.com', 'registry-c.com', 'registry-no-creds.com'];
    home.write('.docker/config.json', {
      credHelpers: Object.fromEntries(hosts.map((host) => [host, 'helper-registry'])),
    });
    const found = await Promise.all(hosts.map((host) => fileCredentials()(host)));
    expect(found).toEqual([
      basicCredential('foo', 'bar'),
      { type: 'refresh', refreshToken: 'fizzbuzz' },
      undefined,
      undefined,
    ]);
    expect(
      await fileCredentials({ authFile: join(folder!, 'config.json') })('registry-no-creds.com'),
    ).toBeUndefined();
  });
});
