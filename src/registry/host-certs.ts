// What docker and podman keep for a registry's TLS: `certs.d/HOST[:PORT]/` with *.crt (authorities), and *.cert with *.key
// (who we are). containers-certs.d(5).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileError, isOciError, OciError, systemCode } from '../errors.ts';

/** TLS with one host, PEM. */
export interface HostTls {
  ca?: string | undefined;
  cert?: string | undefined;
  key?: string | undefined;
  /** Its certificate is not verified, and plain HTTP will do. */
  insecure?: boolean | undefined;
}

/** The files of one host's folder; undefined when there are none. Throws SETTINGS_INVALID, PERMISSION, IO. */
export function readHostCerts(folder: string): HostTls | undefined {
  const names = namesIn(folder);
  const authorities = names
    .filter((name) => name.endsWith('.crt'))
    .map((name) => readPem(join(folder, name)));
  const certFile = names.find((name) => name.endsWith('.cert'));
  if (authorities.length === 0 && certFile === undefined) return undefined;
  const ca = authorities.length === 0 ? undefined : authorities.join('\n');
  if (certFile === undefined) return { ca };
  const keyFile = certFile.replace(/\.cert$/, '.key');
  if (!names.includes(keyFile)) {
    throw new OciError(
      'SETTINGS_INVALID',
      `${join(folder, certFile)}: expected its key beside it, as ${keyFile}`,
    );
  }
  try {
    return { ca, cert: readPem(join(folder, certFile)), key: readPem(join(folder, keyFile)) };
  } catch (error) {
    // The daemon's own, which only root may read: whoever else pulls is not known by it.
    if (isOciError(error, 'PERMISSION')) return { ca };
    throw error;
  }
}

/** A PEM file. Throws SETTINGS_INVALID, PERMISSION, IO. */
export function readPem(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw fileError(error, path);
  }
  if (text.includes('-----BEGIN')) return text;
  throw new OciError('SETTINGS_INVALID', `${path}: expected PEM, with a -----BEGIN …----- block`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw fileError(error, folder);
  }
}
