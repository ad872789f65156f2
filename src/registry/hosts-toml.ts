// containerd's `certs.d/HOST/hosts.toml`: hosts to ask instead of a registry, which is how Spegel, Dragonfly and other
// mirrors on a node are found (containerd, docs/hosts.md).
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { isRecord } from '../json.ts';
import { parseGoDuration } from './go-duration.ts';
import { type HostTls, readHostCerts, readPem } from './host-certs.ts';
import { fieldsOf, parseToml, readSettings, type TomlFields } from './toml-file.ts';

/** How to talk to a host. */
export interface HostSettings {
  tls: HostTls;
  /** Sent with every request to it, names in lower case. */
  headers: Record<string, string>;
  /** How long a connection to it may take, ms. */
  dialTimeoutMs?: number | undefined;
}

/** One host to ask. */
export interface HostEntry extends HostSettings {
  /** Scheme, host and port. */
  origin: string;
  /** Where its API is, without a slash at the end: `/v2`. */
  path: string;
  /** May say what a tag stands for. */
  resolve: boolean;
  /** May be asked for content by digest. */
  pull: boolean;
}

/** What is configured for one registry. */
export interface HostConfig {
  /** In the order to ask them. */
  hosts: HostEntry[];
  /** Asked after them, instead of the registry's own address. */
  server: HostEntry | undefined;
  /** For the registry's own address. */
  own: HostSettings | undefined;
}

const CAPABILITIES = ['pull', 'resolve', 'push'] as const;

/** The folders there are: containerd's, docker's, podman's, and those of the user. */
export function hostsFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  const user = env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config');
  return [user, '/etc']
    .flatMap((base) => ['containerd', 'containers', 'docker'].map((name) => join(base, name, 'certs.d')))
    .filter(isReadable);
}

/** One that only root may look into is the daemon's own. */
function isReadable(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The configuration of a registry in the first folder that has any. Throws SETTINGS_INVALID, PERMISSION, IO. */
export async function readHostConfig(
  folders: readonly string[],
  registry: string,
): Promise<HostConfig | undefined> {
  for (const name of [registry.replace(/:(\d+)$/, '_$1_'), registry, '_default']) {
    for (const folder of folders) {
      const path = join(folder, name, 'hosts.toml');
      const text = readSettings(path);
      if (text !== undefined) return readHosts(fieldsOf(await parseToml(path, text)), dirname(path));
      const tls = name === '_default' ? undefined : readHostCerts(join(folder, name));
      if (tls !== undefined) return { hosts: [], server: undefined, own: { tls, headers: {} } };
    }
  }
  return undefined;
}

function readHosts(file: TomlFields, folder: string): HostConfig {
  const table = file.table('host');
  const hosts = (table?.names() ?? []).map((url) => {
    const fields = table?.table(url);
    return readHost(
      url,
      fields ?? file,
      () => (table ?? file).error(url, 'http://HOST or https://HOST'),
      folder,
    );
  });
  const server = file.string('server');
  if (server === undefined || server === '')
    return { hosts, server: undefined, own: readSettingsOf(file, folder) };
  const entry = readHost(server, file, () => file.error('server', 'https://HOST'), folder);
  return { hosts, server: entry, own: undefined };
}

function readHost(text: string, fields: TomlFields, wrong: () => Error, folder: string): HostEntry {
  const address = /^https?:\/\//.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address)) throw wrong();
  const url = new URL(address);
  if (url.username !== '' || url.search !== '') throw wrong();
  const capabilities = fields.strings('capabilities').map((name) => name.toLowerCase());
  if (!capabilities.every((name) => CAPABILITIES.some((known) => known === name))) {
    throw fields.error('capabilities', `some of ${CAPABILITIES.join(', ')}`);
  }
  const can = (name: string): boolean => capabilities.length === 0 || capabilities.includes(name);
  const path = url.pathname.replace(/\/+$/, '');
  const isRoot = fields.boolean('override_path') === true || path.endsWith('/v2');
  return {
    origin: url.origin,
    path: isRoot ? path : `${path}/v2`,
    resolve: can('resolve'),
    pull: can('pull'),
    ...readSettingsOf(fields, folder),
  };
}

function readSettingsOf(fields: TomlFields, folder: string): HostSettings {
  if (fields.value('proxy') !== undefined) {
    throw fields.error('proxy', 'it in $HTTPS_PROXY: a proxy for one host is not supported here');
  }
  const dialTimeoutMs = readTimeout(fields);
  return { tls: readTls(fields, folder), headers: readHeaders(fields.table('header')), dialTimeoutMs };
}

function readTimeout(fields: TomlFields): number | undefined {
  const text = fields.string('dial_timeout');
  const ms = text === undefined ? 0 : parseGoDuration(text);
  if (ms === undefined) throw fields.error('dial_timeout', 'a length of time such as "3s" or "500ms"');
  // As in Go, none at all is no limit.
  return ms === 0 ? undefined : Math.max(1, Math.ceil(ms));
}

function readHeaders(table: TomlFields | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of table?.names() ?? [])
    headers[name.toLowerCase()] = table?.strings(name).join(', ') ?? '';
  return headers;
}

function readTls(fields: TomlFields, folder: string): HostTls {
  const authorities = fields.strings('ca').map((path) => readPem(resolve(folder, path)));
  const pair = clientPair(fields);
  return {
    ca: authorities.length === 0 ? undefined : authorities.join('\n'),
    cert: pair && readPem(resolve(folder, pair[0])),
    key: pair && readPem(resolve(folder, pair[1])),
    insecure: fields.boolean('skip_verify'),
  };
}

/** A file with both, or two files; of several the first is shown. */
function clientPair(fields: TomlFields): [cert: string, key: string] | undefined {
  const value = fields.value('client');
  if (value === undefined || isRecord(value)) return undefined;
  const first: unknown = Array.isArray(value) ? value[0] : value;
  const [cert, key] = Array.isArray(first) ? (first as unknown[]) : [first];
  if (typeof cert !== 'string' || (key !== undefined && typeof key !== 'string')) {
    throw fields.error('client', 'a file, or pairs of files');
  }
  return [cert, key || cert];
}
