import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ProgressEvent } from '../../src/place/progress.ts';
import { eraseCredential, fileCredentials, saveCredential } from '../../src/registry/credentials.ts';
import { base64, basicCredential, setUpCredentialHome } from '../support/credential-home.ts';

const home = setUpCredentialHome();

describe('helpers', () => {
  it('keep and give what login and logout say', async () => {
    const secrets = home.installHelper('vault');
    home.write('.docker/config.json', { credsStore: 'vault', HttpHeaders: { a: 'b' } });
    const credential = { type: 'basic', username: 'me', password: 'sécret' } as const;
    expect(await saveCredential('docker.io', credential)).toBe('docker-credential-vault');
    expect(JSON.parse(readFileSync(secrets, 'utf8'))).toEqual({
      'https://index.docker.io/v1/': { Username: 'me', Secret: 'sécret' },
    });
    const config = home.read('.docker/config.json');
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
    writeFileSync(
      home.installHelper('own'),
      JSON.stringify({ 'gcr.io': { Username: '<token>', Secret: 'own' } }),
    );
    writeFileSync(
      home.installHelper('general'),
      JSON.stringify({
        'gcr.io': { Username: 'x', Secret: 'y' },
        'example.com': { Username: 'a', Secret: 'b' },
      }),
    );
    home.write('.docker/config.json', { credsStore: 'general', credHelpers: { 'gcr.io': 'own' } });
    expect(await fileCredentials()('gcr.io', 'a/b')).toEqual({ type: 'refresh', refreshToken: 'own' });
    expect(await fileCredentials()('example.com')).toEqual(basicCredential('a', 'b'));
  });

  it('that know nothing leave the word to the file', async () => {
    home.installHelper('vault');
    home.write('.docker/config.json', { credsStore: 'vault', auths: { h: { auth: base64('u:p') } } });
    expect(await fileCredentials()('h')).toEqual(basicCredential('u', 'p'));
  });

  it('keep refresh tokens under the user <token>', async () => {
    const secrets = home.installHelper('vault');
    home.write('.docker/config.json', { credsStore: 'vault' });
    await saveCredential('gcr.io', { type: 'refresh', refreshToken: 'long' });
    expect(JSON.parse(readFileSync(secrets, 'utf8'))).toEqual({
      'gcr.io': { Username: '<token>', Secret: 'long' },
    });
    expect(await fileCredentials()('gcr.io')).toEqual({ type: 'refresh', refreshToken: 'long' });
  });

  it('not installed are an error for their registry, a warning when general', async () => {
    const events: ProgressEvent[] = [];
    home.write('.docker/config.json', {
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
    home.script('bad', `#!/bin/sh\n${script}\n`);
    home.write('.docker/config.json', { credHelpers: { h: 'bad' } });
    await expect(fileCredentials()('h')).rejects.toMatchObject({
      code: 'CREDENTIALS',
      message: expect.stringContaining(message),
    });
  });

  it.each(['../../bin/sh', 'a/b', '', '-x', 'a b'])('named %j are not run', async (name) => {
    home.write('.docker/config.json', { credHelpers: { h: name } });
    const found = await fileCredentials()('h').catch((error: { code: string }) => error.code);
    expect(found).toBe(name === '' ? undefined : 'CREDENTIALS');
  });
});
