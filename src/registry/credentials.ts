// Whose credentials go to which registry: the docker and podman files, and the helper programs they name.
import { OciError } from '../errors.ts';
import type { OnProgress } from '../place/progress.ts';
import {
  type CredentialFile,
  credentialPaths,
  entryFor,
  helperFor,
  keysOf,
  loginPath,
  readCredentialFile,
  serverKey,
  writeCredentialFile,
} from './credential-file.ts';
import { eraseFromHelper, getFromHelper, isHelperMissing, storeWithHelper } from './credential-helper.ts';
import { asRecord } from './json.ts';

/** How a registry may be told who we are. */
export type Credential =
  | { type: 'basic'; username: string; password: string }
  /** An OAuth2 refresh token (docker's `identitytoken`, a helper's `<token>`). */
  | { type: 'refresh'; refreshToken: string; username?: string }
  /** A ready bearer token (docker's `registrytoken`). */
  | { type: 'bearer'; token: string };

/** Finds the credential for a repository; undefined means anonymous. Throws CREDENTIALS. */
export type CredentialSource = (registry: string, repository?: string) => Promise<Credential | undefined>;

/** Where credential files are looked for. */
export interface CredentialOptions {
  /** The only file to look in (`--authfile`). Default: every file docker and podman know. */
  authFile?: string | undefined;
  /** Told about a configured helper program that is not installed. */
  onProgress?: OnProgress | undefined;
}

/**
 * The credentials of docker's and podman's files and helpers, read anew at each call. In each file a registry's helper
 * goes before the file's own entries; the first file that knows the registry wins.
 */
export function fileCredentials(options: CredentialOptions = {}): CredentialSource {
  return async (registry, repository) => {
    for (const path of options.authFile === undefined ? credentialPaths() : [options.authFile]) {
      const file = readCredentialFile(path);
      const found = (await fromHelper(file, registry, options)) ?? entryFor(file, registry, repository);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/**
 * Keeps a registry's credential, with the helper that is configured for it or else in the file. Resolves to where it is
 * now: a file's path or a helper's name. Throws CREDENTIALS.
 */
export async function saveCredential(
  registry: string,
  credential: Credential,
  options: CredentialOptions = {},
): Promise<string> {
  const file = readCredentialFile(options.authFile ?? loginPath());
  const helper = helperFor(file, registry);
  const auths = { ...asRecord(file.content.auths) };
  for (const key of keysOf(file, registry)) delete auths[key];
  if (helper !== undefined) await storeWithHelper(helper.name, serverKey(registry), credential);
  // Docker leaves an empty entry for what a helper keeps, so that `logout` knows of it.
  auths[serverKey(registry)] = helper === undefined ? entryOf(credential) : {};
  writeCredentialFile({ path: file.path, content: { ...file.content, auths } });
  return helper === undefined ? file.path : `docker-credential-${helper.name}`;
}

/** Drops a registry's credential from the file and its helper; false when there was none. Throws CREDENTIALS. */
export async function eraseCredential(registry: string, options: CredentialOptions = {}): Promise<boolean> {
  const file = readCredentialFile(options.authFile ?? loginPath());
  const helper = helperFor(file, registry);
  let erased = false;
  if (helper !== undefined && (await getFromHelper(helper.name, serverKey(registry))) !== undefined) {
    await eraseFromHelper(helper.name, serverKey(registry));
    erased = true;
  }
  const keys = keysOf(file, registry);
  if (keys.length > 0) {
    const auths = { ...asRecord(file.content.auths) };
    for (const key of keys) delete auths[key];
    writeCredentialFile({ path: file.path, content: { ...file.content, auths } });
  }
  return erased || keys.length > 0;
}

async function fromHelper(
  file: CredentialFile,
  registry: string,
  options: CredentialOptions,
): Promise<Credential | undefined> {
  const helper = helperFor(file, registry);
  if (helper === undefined) return undefined;
  try {
    return await getFromHelper(helper.name, serverKey(registry));
  } catch (error) {
    // Docker Desktop leaves its general helper in the file when it goes: public images must still come.
    if (!helper.general || !isHelperMissing(error)) throw error;
    options.onProgress?.({
      type: 'warning',
      message: `${file.path} names docker-credential-${helper.name}, which is not installed: going on without it`,
    });
    return undefined;
  }
}

function entryOf(credential: Credential): Record<string, string> {
  switch (credential.type) {
    case 'basic': {
      if (credential.username.includes(':'))
        throw new OciError('CREDENTIALS', 'a user name cannot have a colon in it');
      return { auth: base64(`${credential.username}:${credential.password}`) };
    }
    case 'refresh':
      return {
        ...(credential.username === undefined ? {} : { auth: base64(`${credential.username}:`) }),
        identitytoken: credential.refreshToken,
      };
    case 'bearer':
      return { registrytoken: credential.token };
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
