// What a program holds while it works with images: a store, a way to registries, a platform; each opened when first needed.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../blobstore/store.ts';
import type { LimitOptions } from '../layer/limits.ts';
import type { Platform } from '../manifest/descriptor.ts';
import type { LongOptions } from '../place/progress.ts';
import { hasHost } from '../reference/reference.ts';
import type { CredentialSource } from '../registry/credentials.ts';
import type { OpenOptions, RoutedRegistries } from '../registry/open-routed.ts';
import type { Repository, RepositoryName } from '../registry/repository.ts';
import type { RegistriesOptions } from '../registry/route.ts';
import type { Transport, TransportOptions } from '../registry/transport.ts';

/** Options of a client; all have defaults. */
export interface ClientOptions extends LongOptions {
  /** The store's directory. Default: `$OCITOOL_STORE`, else `$XDG_DATA_HOME/ocitool`, else `~/.local/share/ocitool`. */
  store?: string | undefined;
  /** `os/arch[/variant]`, chosen from multi-platform images. Default: this machine's. */
  platform?: string | undefined;
  /** The only file to read credentials from. Default: docker's and podman's. */
  authFile?: string | undefined;
  /** A program's own credentials, instead of files. */
  credentials?: CredentialSource | undefined;
  transport?: TransportOptions | undefined;
  /** A `policy.json` (containers-policy.json(5)) that images have to fulfil to be read from a registry. Default: none. */
  policy?: string | undefined;
  /** Where mirrors, blocked registries and aliases are configured. Default: the files of podman, containerd and docker. */
  registries?: RegistriesOptions | undefined;
  /** What an image may ask of this machine; see `LayerLimits` for the defaults. */
  limits?: LimitOptions | undefined;
}

/** What a repository is opened for. */
export interface RepositoryUse extends OpenOptions {
  /** Images are wanted for one platform only: of an index that is not signed, its manifest for that will do. */
  onePlatform?: boolean | undefined;
}

/** The first argument of every verb. Close it when done. */
export interface Client extends LongOptions {
  /** The limits asked for; defaults hold for the others. */
  readonly limits: LimitOptions;
  /** The platform asked for; undefined when the host's will do. */
  platform(): Promise<Platform | undefined>;
  store(): Promise<BlobStore>;
  transport(): Promise<Transport>;
  credentials(): Promise<CredentialSource>;
  /**
   * As this machine is configured to reach it: reading goes through mirrors. `push`: one that is written to, so that a
   * token for both is asked for. Throws DENIED (blocked), SETTINGS_INVALID.
   */
  repository(name: RepositoryName, access?: 'pull' | 'push', use?: RepositoryUse): Promise<Repository>;
  /** An image name with its alias (shortnames.conf) in place, if it has one. Throws SETTINGS_INVALID. */
  expand(image: string): Promise<string>;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** A client; nothing is opened, imported or contacted before a verb needs it. */
export function createClient(options: ClientOptions = {}): Client {
  const { signal, onProgress } = options;
  let transport: Promise<Transport> | undefined;

  const store = once(async () => {
    const { openStore } = await import('../blobstore/store.ts');
    return openStore(options.store ?? defaultStoreDir(process.env));
  });
  const platform = once(async () => {
    if (options.platform === undefined) return undefined;
    const { parsePlatform } = await import('../manifest/platform.ts');
    return parsePlatform(options.platform);
  });
  const credentials = once(async () => {
    if (options.credentials !== undefined) return options.credentials;
    const { fileCredentials } = await import('../registry/credentials.ts');
    return fileCredentials({ authFile: options.authFile, onProgress });
  });

  let routed: Promise<RoutedRegistries> | undefined;
  async function openRegistries(): Promise<RoutedRegistries> {
    const { createRoutedRegistries } = await import('../registry/open-routed.ts');
    return createRoutedRegistries({
      registries: options.registries,
      transportOptions: { onProgress, ...options.transport },
      transport: transportOnce,
      credentials,
      onProgress,
    });
  }
  function registries(): Promise<RoutedRegistries> {
    routed ??= openRegistries();
    return routed;
  }

  const aliases = once(async () => {
    const { expandAlias, registriesTexts } = await import('../registry/registries-conf.ts');
    const texts = registriesTexts(options.registries?.file);
    return { expand: (image: string) => expandAlias(image, texts) };
  });

  async function openTransport(): Promise<Transport> {
    const { createTransport } = await import('../registry/transport.ts');
    return createTransport({ onProgress, ...options.transport });
  }
  function transportOnce(): Promise<Transport> {
    transport ??= openTransport();
    return transport;
  }

  const policyRule = once(async () => {
    const { ruleOf } = await import('./policy.ts');
    return ruleOf(options.policy ?? '');
  });

  const client: Client = {
    signal,
    onProgress,
    limits: options.limits ?? {},
    platform,
    store,
    credentials,
    transport: transportOnce,
    async repository(name, access = 'pull', use) {
      const repository = await (await registries()).open(name, access, use ?? {});
      if (options.policy === undefined || access === 'push') return repository;
      const { verifiedRepository } = await import('./verified-repository.ts');
      return verifiedRepository(client, repository, await policyRule(), use);
    },
    expand: async (image) => (hasHost(image) ? image : (await aliases()).expand(image)),
    async close() {
      await (await routed)?.close();
      await (await transport)?.close();
    },
  };
  return client;
}

/** Where images are kept unless told otherwise (XDG base directory specification). */
export function defaultStoreDir(env: NodeJS.ProcessEnv): string {
  if (env.OCITOOL_STORE) return env.OCITOOL_STORE;
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'ocitool');
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
