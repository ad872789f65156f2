import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eraseCredential, fileCredentials, saveCredential } from '../../src/registry/credentials.ts';
import { base64, setUpCredentialHome } from '../support/credential-home.ts';

const home = setUpCredentialHome();

describe('login without a helper', () => {
  const credential = { type: 'basic', username: 'me', password: 'secret' } as const;

  it('writes docker’s file, for its owner only, and keeps what it does not know', async () => {
    const file = home.write('.docker/config.json', {
      auths: {
        'other.example.com': { auth: 'eDp5', extra: 1 },
        'https://example.com/v1/': { auth: 'b2xkOm9sZA==' },
      },
      psFormat: '{{.Names}}',
    });
    chmodSync(file, 0o644);
    expect(await saveCredential('example.com', credential)).toBe(file);
    expect(home.read('.docker/config.json')).toEqual({
      auths: {
        'other.example.com': { auth: 'eDp5', extra: 1 },
        'example.com': { auth: base64('me:secret') },
      },
      psFormat: '{{.Names}}',
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(home.path('.docker'))).toEqual(['config.json']);
  });

  it('makes the file when there is none, in a folder for its owner only', async () => {
    await saveCredential('docker.io', credential);
    expect(home.read('.docker/config.json')).toEqual({
      auths: { 'https://index.docker.io/v1/': { auth: base64('me:secret') } },
    });
    expect(statSync(home.path('.docker')).mode & 0o777).toBe(0o700);
    expect(await fileCredentials()('docker.io', 'library/alpine')).toEqual(credential);
  });

  it('leaves a symbolic link one', async () => {
    const target = home.write('dotfiles/docker.json', {});
    mkdirSync(home.path('.docker'));
    symlinkSync(target, home.path('.docker/config.json'));
    await saveCredential('example.com', credential);
    expect(lstatSync(home.path('.docker/config.json')).isSymbolicLink()).toBe(true);
    expect(Object.keys(home.read('dotfiles/docker.json').auths as object)).toEqual(['example.com']);
  });

  it('does not overwrite a file it cannot read', async () => {
    const file = home.write('.docker/config.json', '{"auths":');
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
    home.write('.docker/config.json', {
      auths: {
        'https://index.docker.io/v1/': { auth: 'x' },
        'docker.io': {},
        'example.com': { auth: 'eDp5' },
      },
    });
    expect(await eraseCredential('docker.io')).toBe(true);
    expect(Object.keys(home.read('.docker/config.json').auths as object)).toEqual(['example.com']);
    expect(await eraseCredential('docker.io')).toBe(false);
  });
});
