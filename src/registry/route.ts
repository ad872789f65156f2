// Where the content of a repository is to be had: what registries.conf and containerd's hosts.toml say of its name, put
// together as addresses in the order to ask them.
import { OciError } from '../errors.ts';
import { formatRepository, type Repository } from '../reference/reference.ts';
import { apiHost } from '../reference/registry-host.ts';
import type { HostTls } from './host-certs.ts';
import { type HostEntry, hostsFolders, readHostConfig } from './hosts-toml.ts';
import { readRegistriesConf, registriesTexts } from './registries-conf.ts';
import { findEntry, imageEntries, type RegistryEntry, relocate } from './registries-conf-entry.ts';

/** Where registries are configured. */
export interface RegistriesOptions {
  /** The registries.conf, with no additions. Default: `$CONTAINERS_REGISTRIES_CONF`, else the user's or the system's. */
  file?: string | undefined;
  /** Folders of `HOST/hosts.toml` and `HOST/*.crt`. Default: containerd's, podman's and docker's `certs.d` folders. */
  hostsFolders?: readonly string[] | undefined;
}

/** One place to ask. */
export interface Endpoint {
  /** What the repository is called there; credentials are looked up by this name. */
  name: Repository;
  /** `http://127.0.0.1:5000`; undefined: found out as for any registry. */
  origin: string | undefined;
  /** Where the API is, without a slash at the end. Default `/v2`. */
  path: string;
  /** The registry that is meant, told as `?ns=` (containerd). */
  namespace: string | undefined;
  headers: Record<string, string>;
  tls: HostTls;
  /** How long a connection may take, ms. Default: what the transport has. */
  dialTimeoutMs?: number | undefined;
}

export interface MirrorEndpoint extends Endpoint {
  /** May say what a tag stands for. */
  tags: boolean;
  /** May be asked for content by digest. */
  digests: boolean;
}

export interface Route {
  /** In the order to ask them. */
  mirrors: MirrorEndpoint[];
  /** Asked last. */
  origin: Endpoint;
}

export interface Routes {
  /**
   * The way to a repository. Reading goes through mirrors and to another location; writing does neither.
   * Throws DENIED (blocked), SETTINGS_INVALID, PERMISSION, UNSUPPORTED.
   */
  to(name: Repository, access: 'pull' | 'push'): Promise<Route>;
}

/** Reads the files when the first name is asked about. */
export function createRoutes(options: RegistriesOptions = {}): Routes {
  let entries: Promise<RegistryEntry[]> | undefined;
  let folders: readonly string[] | undefined;

  return {
    async to(name, access) {
      entries ??= readRegistriesConf(registriesTexts(options.file));
      folders ??= options.hostsFolders ?? hostsFolders();
      const all = await entries;
      const entry = findEntry(all, name);
      refuse(entry, all, name);
      const located = access === 'pull' && entry !== undefined ? relocate(entry, name, entry.location) : name;
      const own: Route = { mirrors: [], origin: endpoint(located, { insecure: entry?.insecure }) };
      const route = folders.length === 0 ? own : await throughHosts(own, folders);
      if (access === 'push') return { mirrors: [], origin: route.origin };
      const mirrors: MirrorEndpoint[] = [];
      for (const { location, insecure, tags, digests } of entry?.mirrors ?? []) {
        const there = endpoint(relocate(entry as RegistryEntry, name, location), { insecure });
        const tls = await certsOf(there, folders);
        mirrors.push({ ...there, tls: { ...tls, ...there.tls }, tags, digests });
      }
      return { mirrors: [...mirrors, ...route.mirrors], origin: route.origin };
    },
  };
}

function refuse(entry: RegistryEntry | undefined, all: readonly RegistryEntry[], name: Repository): void {
  if (entry?.blocked === true) {
    throw new OciError('DENIED', `${formatRepository(name)}: blocked by the configuration of this machine`, {
      hint: `${entry.place} blocks ${entry.prefix}; ask whoever wrote that`,
    });
  }
  const [image] = imageEntries(all, name);
  if (image === undefined) return;
  throw new OciError(
    'UNSUPPORTED',
    `${image.place}: rules for one tag or digest are not supported: ${image.prefix}`,
    {
      hint: 'give the prefix without tag and digest: the rule then holds for the whole repository',
    },
  );
}

/** What hosts.toml says of the route's origin. */
async function throughHosts({ origin }: Route, folders: readonly string[]): Promise<Route> {
  const { name } = origin;
  const config = await readHostConfig(folders, name.registry);
  if (config === undefined) return { mirrors: [], origin };
  const { hosts, server, own } = config;
  const mirrors = hosts
    .filter((host) => host.pull || host.resolve)
    .map((host) => ({ ...hostEndpoint(host, name), tags: host.resolve, digests: host.pull }));
  if (server !== undefined) return { mirrors, origin: hostEndpoint(server, name) };
  const { headers = {}, tls, dialTimeoutMs } = own ?? {};
  return { mirrors, origin: { ...origin, headers, tls: { ...tls, ...origin.tls }, dialTimeoutMs } };
}

async function certsOf({ name }: Endpoint, folders: readonly string[]): Promise<HostTls> {
  return folders.length === 0 ? {} : ((await readHostConfig(folders, name.registry))?.own?.tls ?? {});
}

function endpoint(name: Repository, { insecure }: HostTls): Endpoint {
  const tls: HostTls = insecure === true ? { insecure } : {};
  return { name, origin: undefined, path: '/v2', namespace: undefined, headers: {}, tls };
}

function hostEndpoint(
  { origin, path, headers, tls, dialTimeoutMs }: HostEntry,
  { registry, repository }: Repository,
): Endpoint {
  const { host } = new URL(origin);
  const isItself = host === registry || host === apiHost(registry);
  return {
    name: { registry: host, repository },
    origin,
    path,
    headers,
    tls,
    dialTimeoutMs,
    namespace: isItself ? undefined : registry,
  };
}
