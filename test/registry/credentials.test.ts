import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import {
  type CredentialSource,
  eraseCredential,
  fileCredentials,
  saveCredential,
} from '../../src/registry/credentials.ts';
import { corpus } from '../support/corpora.ts';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'credentials-'));
  vi.stubEnv('HOME', home);
  for (const name of ['DOCKER_CONFIG', 'REGISTRY_AUTH_FILE', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME'])
    vi.stubEnv(name, '');
  // Only what the helpers here are written in: never a helper of this machine, which may hold real secrets.
  const bin = join(home, 'bin');
  mkdirSync(bin);
  for (const shell of ['/bin/sh', '/bin/bash'])
    if (existsSync(shell)) symlinkSync(shell, join(bin, basename(shell)));
  vi.stubEnv('PATH', bin);
});

afterEach(() => rmSync(home, { recursive: true, force: true }));

function write(path: string, content: unknown): string {
  const file = join(home, path);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function read(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(home, path), 'utf8')) as Record<string, unknown>;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function basic(username: string, password: string): object {
  return { type: 'basic', username, password };
}

/** A helper that keeps its secrets in a JSON file and speaks docker's protocol to the letter. */
function installHelper(name: string): string {
  const secrets = join(home, `${name}.secrets`);
  writeFileSync(secrets, '{}');
  const program = join(home, 'bin', `docker-credential-${name}`);
  writeFileSync(
    program,
    `#!${process.execPath}
const fs = require('node:fs');
const input = fs.readFileSync(0, 'utf8').trim();
const secrets = JSON.parse(fs.readFileSync(${JSON.stringify(secrets)}, 'utf8'));
const save = () => fs.writeFileSync(${JSON.stringify(secrets)}, JSON.stringify(secrets));
switch (process.argv[2]) {
  case 'get':
    if (!secrets[input]) { console.log('credentials not found in native keychain'); process.exit(1); }
    console.log(JSON.stringify({ ServerURL: input, ...secrets[input] }));
    break;
  case 'store': {
    const { ServerURL, ...secret } = JSON.parse(input);
    secrets[ServerURL] = secret;
    save();
    break;
  }
  case 'erase':
    delete secrets[input];
    save();
    break;
  case 'list':
    console.log(JSON.stringify(Object.fromEntries(Object.entries(secrets).map(([url, s]) => [url, s.Username]))));
    break;
  default:
    process.exit(1);
}
`,
  );
  chmodSync(program, 0o755);
  return secrets;
}

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
    write(path, entry('me:secret'));
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, join(home, value));
    expect(await fileCredentials()('example.com', 'app')).toEqual(basic('me', 'secret'));
    expect(await fileCredentials()('other.example.com', 'app')).toBeUndefined();
  });

  it('are read in order, and the first that knows the registry wins', async () => {
    vi.stubEnv('REGISTRY_AUTH_FILE', write('first.json', { auths: {} }));
    write('.docker/config.json', entry('docker:1'));
    write('.config/containers/auth.json', entry('podman:2'));
    expect(await fileCredentials()('example.com')).toEqual(basic('docker', '1'));
  });

  it('--authfile is the only one when given', async () => {
    write('.docker/config.json', entry('docker:1'));
    const authFile = write('own.json', { auths: {} });
    expect(await fileCredentials({ authFile })('example.com')).toBeUndefined();
    expect(await fileCredentials({ authFile: join(home, 'missing.json') })('example.com')).toBeUndefined();
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
    const file = write('.docker/config.json', content);
    await expect(fileCredentials()('example.com')).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: expect.stringMatching(new RegExp(`${file}.*${message}`)),
    });
  });

  it('that are empty hold nothing', async () => {
    write('.docker/config.json', '');
    expect(await fileCredentials()('example.com')).toBeUndefined();
  });
});

describe('entries', () => {
  const find = (auths: object, registry: string, repository?: string): ReturnType<CredentialSource> => {
    write('.docker/config.json', { auths });
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
    expect(await find({ [key]: auth('me:hub') }, 'docker.io', 'library/alpine')).toEqual(basic('me', 'hub'));
  });

  it('of the longest prefix of the name win', async () => {
    const auths = {
      'example.com': auth('host:1'),
      'example.com/team': auth('team:2'),
      'example.com/team/app': auth('app:3'),
      'example.com/te': auth('wrong:4'),
    };
    expect(await find(auths, 'example.com', 'team/app')).toEqual(basic('app', '3'));
    expect(await find(auths, 'example.com', 'team/other')).toEqual(basic('team', '2'));
    expect(await find(auths, 'example.com', 'teams/app')).toEqual(basic('host', '1'));
    expect(await find(auths, 'example.com')).toEqual(basic('host', '1'));
  });

  it('of another port are of another registry', async () => {
    expect(await find({ 'localhost:5001': auth('a:b') }, 'localhost:5000')).toBeUndefined();
  });

  it('may have colons and NUL padding in the password', async () => {
    expect(await find({ h: auth('u:p:q\0\0') }, 'h')).toEqual(basic('u', 'p:q'));
  });

  it('may name user and password apart', async () => {
    expect(await find({ h: { username: 'u', password: 'p' } }, 'h')).toEqual(basic('u', 'p'));
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
    ['example.org', basic('example', 'org')],
    ['docker.io', basic('index', 'docker.io')],
    ['127.0.0.1:5000', basic('127.0', '0.1-5000')],
    ['localhost', basic('local', 'host')],
    ['localhost:5001', basic('local', 'host-5001')],
    ['localhost:5000', basic('local', 'host-5000')],
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
    const program = join(home, 'bin', 'docker-credential-helper-registry');
    writeFileSync(program, readFileSync(join(folder!, 'docker-credential-helper-registry')), { mode: 0o755 });
    const hosts = ['registry-a.com', 'registry-b.com', 'registry-c.com', 'registry-no-creds.com'];
    write('.docker/config.json', {
      credHelpers: Object.fromEntries(hosts.map((host) => [host, 'helper-registry'])),
    });
    const found = await Promise.all(hosts.map((host) => fileCredentials()(host)));
    expect(found).toEqual([
      basic('foo', 'bar'),
      { type: 'refresh', refreshToken: 'fizzbuzz' },
      undefined,
      undefined,
    ]);
    expect(
      await fileCredentials({ authFile: join(folder!, 'config.json') })('registry-no-creds.com'),
    ).toBeUndefined();
  });
});

describe('helpers', () => {
  it('keep and give what login and logout say', async () => {
    const secrets = installHelper('vault');
    write('.docker/config.json', { credsStore: 'vault', HttpHeaders: { a: 'b' } });
    const credential = { type: 'basic', username: 'me', password: 'sécret' } as const;
    expect(await saveCredential('docker.io', credential)).toBe('docker-credential-vault');
    expect(JSON.parse(readFileSync(secrets, 'utf8'))).toEqual({
      'https://index.docker.io/v1/': { Username: 'me', Secret: 'sécret' },
    });
    const config = read('.docker/config.json');
    expect(config).toEqual({
      credsStore: 'vault',
      HttpHeaders: { a: 'b' },
      auths: { 'https://index.docker.io/v1/': {} },
    });
    expect(await fileCredentials()('docker.io', 'library/alpine')).toEqual(credential);
    expect(await eraseCredential('docker.io')).toBe(true);
    expect(JSON.parse(readFileSync(secrets, 'utf8'))).toEqual({});
    expect(await fileCredentials()('docker.io')).toBeUndefined();
    expect(await eraseCredential('docker.io')).toBe(false);
  });

  it('of one registry go before the general one', async () => {
    writeFileSync(installHelper('own'), JSON.stringify({ 'gcr.io': { Username: '<token>', Secret: 'own' } }));
    writeFileSync(
      installHelper('general'),
      JSON.stringify({
        'gcr.io': { Username: 'x', Secret: 'y' },
        'example.com': { Username: 'a', Secret: 'b' },
      }),
    );
    write('.docker/config.json', { credsStore: 'general', credHelpers: { 'gcr.io': 'own' } });
    expect(await fileCredentials()('gcr.io', 'a/b')).toEqual({ type: 'refresh', refreshToken: 'own' });
    expect(await fileCredentials()('example.com')).toEqual(basic('a', 'b'));
  });

  it('that know nothing leave the word to the file', async () => {
    installHelper('vault');
    write('.docker/config.json', { credsStore: 'vault', auths: { h: { auth: base64('u:p') } } });
    expect(await fileCredentials()('h')).toEqual(basic('u', 'p'));
  });

  it('keep refresh tokens under the user <token>', async () => {
    const secrets = installHelper('vault');
    write('.docker/config.json', { credsStore: 'vault' });
    await saveCredential('gcr.io', { type: 'refresh', refreshToken: 'long' });
    expect(JSON.parse(readFileSync(secrets, 'utf8'))).toEqual({
      'gcr.io': { Username: '<token>', Secret: 'long' },
    });
    expect(await fileCredentials()('gcr.io')).toEqual({ type: 'refresh', refreshToken: 'long' });
  });

  it('not installed are an error for their registry, a warning when general', async () => {
    const events: ProgressEvent[] = [];
    write('.docker/config.json', {
      credsStore: 'ocitool-test-none',
      credHelpers: { 'gcr.io': 'ocitool-test-missing' },
    });
    const find = fileCredentials({ onProgress: (event) => events.push(event) });
    expect(await find('example.com')).toBeUndefined();
    expect(events).toEqual([
      {
        type: 'warning',
        message: expect.stringContaining('docker-credential-ocitool-test-none, which is not installed'),
      },
    ]);
    await expect(find('gcr.io')).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: 'docker-credential-ocitool-test-missing: not found on the PATH',
    });
  });

  it.each([
    ['that fail', 'echo "keychain is locked" >&2; exit 2', 'failed (2): keychain is locked'],
    ['that answer no JSON', 'echo hello', 'no JSON object'],
  ])('%s are an error with their words', async (_name, script, message) => {
    const program = join(home, 'bin', 'docker-credential-bad');
    writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    write('.docker/config.json', { credHelpers: { h: 'bad' } });
    await expect(fileCredentials()('h')).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: expect.stringContaining(message),
    });
  });

  it.each(['../../bin/sh', 'a/b', '', '-x', 'a b'])('named %j are not run', async (name) => {
    write('.docker/config.json', { credHelpers: { h: name } });
    const found = await fileCredentials()('h').catch((error: { code: string }) => error.code);
    expect(found).toBe(name === '' ? undefined : 'CREDENTIALS');
  });
});

describe('login without a helper', () => {
  const credential = { type: 'basic', username: 'me', password: 'secret' } as const;

  it('writes docker’s file, for its owner only, and keeps what it does not know', async () => {
    const file = write('.docker/config.json', {
      auths: {
        'other.example.com': { auth: 'eDp5', extra: 1 },
        'https://example.com/v1/': { auth: 'b2xkOm9sZA==' },
      },
      psFormat: '{{.Names}}',
    });
    chmodSync(file, 0o644);
    expect(await saveCredential('example.com', credential)).toBe(file);
    expect(read('.docker/config.json')).toEqual({
      auths: {
        'other.example.com': { auth: 'eDp5', extra: 1 },
        'example.com': { auth: base64('me:secret') },
      },
      psFormat: '{{.Names}}',
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(home, '.docker'))).toEqual(['config.json']);
  });

  it('makes the file when there is none, in a folder for its owner only', async () => {
    await saveCredential('docker.io', credential);
    expect(read('.docker/config.json')).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth: base64('me:secret') } },
    });
    expect(statSync(join(home, '.docker')).mode & 0o777).toBe(0o700);
    expect(await fileCredentials()('docker.io', 'library/alpine')).toEqual(credential);
  });

  it('leaves a symbolic link one', async () => {
    const target = write('dotfiles/docker.json', {});
    mkdirSync(join(home, '.docker'));
    symlinkSync(target, join(home, '.docker/config.json'));
    await saveCredential('example.com', credential);
    expect(lstatSync(join(home, '.docker/config.json')).isSymbolicLink()).toBe(true);
    expect(Object.keys(read('dotfiles/docker.json').auths as object)).toEqual(['example.com']);
  });

  it('does not overwrite a file it cannot read', async () => {
    const file = write('.docker/config.json', '{"auths":');
    await expect(saveCredential('example.com', credential)).rejects.toMatchObject({ code: 'CREDENTIALS' });
    expect(readFileSync(file, 'utf8')).toBe('{"auths":');
  });

  it('keeps a refresh token as docker does', async () => {
    await saveCredential('example.com', { type: 'refresh', refreshToken: 'long', username: 'me' });
    expect(await fileCredentials()('example.com')).toEqual({
      type: 'refresh',
      refreshToken: 'long',
      username: 'me',
    });
  });

  it('refuses a user name that cannot be written down', async () => {
    await expect(
      saveCredential('h', { type: 'basic', username: 'a:b', password: 'c' }),
    ).rejects.toMatchObject({
      code: 'CREDENTIALS',
    });
  });

  it('logout drops every form of the registry’s key, and says when there was none', async () => {
    write('.docker/config.json', {
      auths: {
        'https://index.docker.io/v1/': { auth: 'x' },
        'docker.io': {},
        'example.com': { auth: 'eDp5' },
      },
    });
    expect(await eraseCredential('docker.io')).toBe(true);
    expect(Object.keys(read('.docker/config.json').auths as object)).toEqual(['example.com']);
    expect(await eraseCredential('docker.io')).toBe(false);
  });
});
