// The file docker (config.json) and podman (auth.json) keep credentials in: where it is, what its entries mean.
import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { OciError, systemCode } from '../errors.ts';
import { parseJson } from '../json.ts';
import { randomName } from '../random-name.ts';
import { canonicalRegistry, DOCKER_HUB } from '../reference/registry-host.ts';
import type { Credential } from './credentials.ts';
import { asRecord, asText } from './json.ts';

/** One credential file. Fields we do not know are kept when it is written. */
export interface CredentialFile {
  path: string;
  content: Record<string, unknown>;
}

/** Docker Hub's key in every credential file and helper. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

/** The files to look in, in order: $REGISTRY_AUTH_FILE, docker's, podman's of this session, podman's lasting one. */
export function credentialPaths(env: NodeJS.ProcessEnv = process.env): string[] {
  const home = env.HOME || homedir();
  const paths: (string | undefined)[] = [
    env.REGISTRY_AUTH_FILE,
    dockerConfigPath(env),
    env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, 'containers', 'auth.json'),
    join(env.XDG_CONFIG_HOME || join(home, '.config'), 'containers', 'auth.json'),
  ];
  return [...new Set(paths.filter((path): path is string => path !== undefined && path !== ''))];
}

/** Where a login is kept when no file is named: podman's variable if set, else docker's file. */
export function loginPath(env: NodeJS.ProcessEnv = process.env): string {
  return env.REGISTRY_AUTH_FILE || dockerConfigPath(env);
}

function dockerConfigPath(env: NodeJS.ProcessEnv): string {
  return join(env.DOCKER_CONFIG || join(env.HOME || homedir(), '.docker'), 'config.json');
}

/** The file's content; empty when it does not exist. Throws CREDENTIALS. */
export function readCredentialFile(path: string): CredentialFile {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { path, content: {} };
    throw new OciError('CREDENTIALS', `${path}: cannot be read: ${(error as Error).message}`, {
      hint: 'correct its permissions, or name another file with --authfile',
      cause: error,
    });
  }
  const content = text.trim() === '' ? {} : asRecord(parseJson(text));
  if (content === undefined) {
    throw new OciError('CREDENTIALS', `${path}: not a JSON object`, {
      hint: 'correct or remove it, or name another file with --authfile',
    });
  }
  return { path, content };
}

/**
 * Replaces the file in one step, readable by its owner only. A symbolic link stays one: its target is replaced.
 * Throws CREDENTIALS.
 */
export function writeCredentialFile({ path, content }: CredentialFile): void {
  let temporary: string | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const target = existingTarget(path);
    temporary = `${target}.${randomName(6)}.tmp`;
    writeFileSync(temporary, `${JSON.stringify(content, undefined, '\t')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    chmodSync(temporary, 0o600);
    renameSync(temporary, target);
  } catch (error) {
    if (temporary !== undefined) rmSync(temporary, { force: true });
    throw new OciError('CREDENTIALS', `${path}: cannot be written: ${(error as Error).message}`, {
      hint: 'name another file with --authfile or $DOCKER_CONFIG',
      cause: error,
    });
  }
}

function existingTarget(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** A registry's key when it is written: `https://index.docker.io/v1/` for Docker Hub, else the host. */
export function serverKey(registry: string): string {
  return registry === DOCKER_HUB ? DOCKER_HUB_KEY : registry;
}

/** The helper program that keeps a registry's credential. `general` is true when it keeps those of every registry. */
export function helperFor(
  file: CredentialFile,
  registry: string,
): { name: string; general: boolean } | undefined {
  const helpers = asRecord(file.content.credHelpers) ?? {};
  const key = Object.keys(helpers).find((candidate) => registryOfKey(candidate) === registry);
  const own = key === undefined ? undefined : asText(helpers[key]);
  if (own !== undefined) return { name: own, general: false };
  const general = asText(file.content.credsStore);
  return general === undefined ? undefined : { name: general, general: true };
}

/** The file's own entry for a repository: the longest key that is it or a parent of it. Throws CREDENTIALS. */
export function entryFor(
  file: CredentialFile,
  registry: string,
  repository?: string,
): Credential | undefined {
  const auths = asRecord(file.content.auths) ?? {};
  for (const scope of scopesOf(registry, repository)) {
    // An exact key goes before one that only means the same (`https://HOST`, docker's old form).
    const keys = Object.keys(auths);
    const exact = keys.filter((key) => key === scope || key === serverKey(scope));
    const alike = keys.filter((key) => !exact.includes(key) && normalKey(key) === scope);
    for (const key of [...exact, ...alike]) {
      const credential = credentialOf(asRecord(auths[key]), `${file.path}: ${key}`);
      if (credential !== undefined) return credential;
    }
  }
  return undefined;
}

/** The keys under which a registry itself has entries. */
export function keysOf(file: CredentialFile, registry: string): string[] {
  return Object.keys(asRecord(file.content.auths) ?? {}).filter((key) => normalKey(key) === registry);
}

/** `HOST/a/b`, `HOST/a`, `HOST`. */
function scopesOf(registry: string, repository: string | undefined): string[] {
  const parts = repository === undefined ? [] : repository.split('/');
  return [...parts.keys()]
    .map((index) => [registry, ...parts.slice(0, parts.length - index)].join('/'))
    .concat(registry);
}

/** Podman's keys may name a path; docker's old ones are URLs of which only the host counts. */
function normalKey(key: string): string {
  const bare = key.replace(/^https?:\/\//, '');
  if (bare !== key) return registryOfKey(key);
  const [host = '', ...path] = bare.replace(/\/+$/, '').split('/');
  return [canonicalRegistry(host), ...path].join('/');
}

function registryOfKey(key: string): string {
  return canonicalRegistry(key.replace(/^https?:\/\//, '').split('/', 1)[0] ?? '');
}

/** The meaning of one `auths` entry; an empty one says that a helper keeps it. */
function credentialOf(entry: Record<string, unknown> | undefined, where: string): Credential | undefined {
  if (entry === undefined) return undefined;
  const bearer = asText(entry.registrytoken);
  if (bearer !== undefined) return { type: 'bearer', token: bearer };
  const [username, password] = namedPair(entry) ?? decodePair(asText(entry.auth), where) ?? [];
  const refreshToken = asText(entry.identitytoken);
  if (refreshToken !== undefined) {
    return username === undefined
      ? { type: 'refresh', refreshToken }
      : { type: 'refresh', refreshToken, username };
  }
  return username === undefined || password === undefined ? undefined : { type: 'basic', username, password };
}

function namedPair(entry: Record<string, unknown>): [string, string] | undefined {
  const username = asText(entry.username);
  const password = asText(entry.password);
  return username === undefined || password === undefined ? undefined : [username, password];
}

function decodePair(auth: string | undefined, where: string): [string, string] | undefined {
  if (auth === undefined) return undefined;
  const pair = Buffer.from(auth, 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  if (colon === -1) {
    throw new OciError('CREDENTIALS', `${where}: its auth is not the base64 of user:password`, {
      hint: 'log in again with: ocitool login',
    });
  }
  // docker cuts NUL padding off the password, as old versions wrote it.
  return [pair.slice(0, colon), pair.slice(colon + 1).replace(/^\0+|\0+$/g, '')];
}
