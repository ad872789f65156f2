// Opens repositories the way this machine is configured to reach them: through mirrors, at another location, or not at all.
import type { OnProgress } from '../place/progress.ts';
import type { CredentialSource } from './credentials.ts';
import { createEndpointTransports } from './endpoint-transport.ts';
import { createMirrorHealth } from './mirror-health.ts';
import { throughMirrors } from './mirrored-repository.ts';
import { openRepository, type Repository, type RepositoryName } from './repository.ts';
import { createRoutes, type Endpoint, type RegistriesOptions, type Route } from './route.ts';
import type { Transport, TransportOptions } from './transport.ts';

/** What is needed to open repositories. */
export interface RoutedOptions {
  registries?: RegistriesOptions | undefined;
  /** What the client was told about registries. */
  transportOptions: TransportOptions;
  transport(): Promise<Transport>;
  credentials(): Promise<CredentialSource>;
  onProgress?: OnProgress | undefined;
}

/** How one repository is opened. */
export interface OpenOptions {
  /** Without credentials, even where there are some; a client certificate of the client's own options stays. Default false. */
  anonymous?: boolean | undefined;
  /** Looks for tags that come close when one is not there. Default true. */
  suggest?: boolean | undefined;
}

export interface RoutedRegistries {
  /** Throws DENIED (blocked), SETTINGS_INVALID, PERMISSION, UNSUPPORTED. */
  open(name: RepositoryName, access: 'pull' | 'push', use: OpenOptions): Promise<Repository>;
  close(): Promise<void>;
}

/** Headers and certificates may say who we are as well. */
function withoutUs(route: Route, anonymous: boolean): Route {
  if (!anonymous) return route;
  function strip<T extends Endpoint>(endpoint: T): T {
    return { ...endpoint, headers: {}, tls: { ...endpoint.tls, cert: undefined, key: undefined } };
  }
  return { origin: strip(route.origin), mirrors: route.mirrors.map(strip) };
}

export function createRoutedRegistries(options: RoutedOptions): RoutedRegistries {
  const routes = createRoutes(options.registries);
  const transports = createEndpointTransports(options.transportOptions, options.transport);
  const health = createMirrorHealth(options.onProgress);
  return {
    async open(name, access, { anonymous, suggest }) {
      const { origin, mirrors } = withoutUs(await routes.to(name, access), anonymous === true);
      const credentials = anonymous === true ? undefined : await options.credentials();
      const repository = openRepository(await transports.origin(origin), origin.name, {
        credentials,
        access,
        suggest,
      });
      if (mirrors.length === 0) return repository;
      const opened = mirrors.map((mirror) => ({
        // Each asks for credentials by its own name: what is kept for the registry never goes to a mirror.
        repository: openRepository(transports.mirror(mirror), mirror.name, { credentials, suggest: false }),
        tags: mirror.tags,
        digests: mirror.digests,
      }));
      return throughMirrors(repository, opened, health);
    },
    close: () => transports.close(),
  };
}
