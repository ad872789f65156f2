// A home directory of a test's own, with credential files and helper programs in it.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';

export interface CredentialHome {
  /** A path in it. */
  path(...parts: string[]): string;
  /** Writes a file, as JSON unless it is text; its path. */
  write(path: string, content: unknown): string;
  read(path: string): Record<string, unknown>;
  /** Installs a shell script as `docker-credential-NAME`. */
  script(name: string, text: string): void;
  /** Installs a helper that keeps secrets in a JSON file and speaks docker's protocol to the letter; that file. */
  installHelper(name: string): string;
}

/** Call once a test file: $HOME and the PATH are its own in each test. */
export function setUpCredentialHome(): CredentialHome {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'credentials-'));
    vi.stubEnv('HOME', home);
    for (const name of ['DOCKER_CONFIG', 'REGISTRY_AUTH_FILE', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME']) {
      vi.stubEnv(name, '');
    }
    // Only what the helpers here are written in: never a helper of this machine, which may hold real secrets.
    const bin = join(home, 'bin');
    mkdirSync(bin);
    for (const shell of ['/bin/sh', '/bin/bash']) {
      if (existsSync(shell)) symlinkSync(shell, join(bin, basename(shell)));
    }
    vi.stubEnv('PATH', bin);
  });

  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const path = (...parts: string[]): string => join(home, ...parts);

  function script(name: string, text: string): void {
    const program = path('bin', `docker-credential-${name}`);
    writeFileSync(program, text);
    chmodSync(program, 0o755);
  }

  return {
    path,
    script,
    write(name, content) {
      const file = path(name);
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
      return file;
    },
    read: (name) => JSON.parse(readFileSync(path(name), 'utf8')) as Record<string, unknown>,
    installHelper(name) {
      const secrets = path(`${name}.secrets`);
      writeFileSync(secrets, '{}');
      script(name, helperProgram(secrets));
      return secrets;
    },
  };
}

function helperProgram(secrets: string): string {
  return `#!${process.execPath}
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
  default:
    process.exit(1);
}
`;
}

export function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

export function basicCredential(username: string, password: string): object {
  return { type: 'basic', username, password };
}
