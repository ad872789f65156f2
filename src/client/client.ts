// What a program holds while it works with images: a store, a way to registries, a platform; each opened when first needed.
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../blobstore/store.ts';
import type { LimitOptions } from '../layer/limits.ts';
import type { Platform } from '../manifest/descriptor.ts';
import type { LongOptions } from '../place/progress.ts';
import type { CredentialSource } from '../registry/credentials.ts';
import type { Repository, RepositoryName } from '../registry/repository.ts';
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
  /** What an image may ask of this machine; see `LayerLimits` for the defaults. */
  limits?: LimitOptions | undefined;
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
  /** `push`: one that is written to, so that a token for both is asked for. */
  repository(name: RepositoryName, access?: 'pull' | 'push'): Promise<Repository>;
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

  async function openTransport(): Promise<Transport> {
    const { createTransport } = await import('../registry/transport.ts');
    return createTransport({ onProgress, ...options.transport });
  }
  function transportOnce(): Promise<Transport> {
    transport ??= openTransport();
    return transport;
  }

  return {
    signal,
    onProgress,
    limits: options.limits ?? {},
    platform,
    store,
    credentials,
    transport: transportOnce,
    async repository(name, access) {
      const { openRepository } = await import('../registry/repository.ts');
      return openRepository(await transportOnce(), name, { credentials: await credentials(), access });
    },
    async close() {
      await (await transport)?.close();
    },
  };
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
