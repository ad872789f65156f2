// The spec of a bundle that somebody else will run (`unpack --bundle`): nothing of this store's life is in it, so that
// `crun run` or `runc run` in the folder is all it takes (image-spec conversion.md).
import type { ImageConfig } from '../../manifest/config.ts';
import { generateSpec } from './generate.ts';
import type { HostFacts } from './host-facts.ts';
import { plainRequest } from './run-request.ts';
import type { RuntimeSpec } from './runtime-spec.ts';
import { hasSeccompFilter } from './seccomp.ts';
import type { ResolvedUser } from './user.ts';

/** Node's names of image-spec's, where they differ. */
const ARCHITECTURES: Readonly<Record<string, string>> = { amd64: 'x64', '386': 'ia32', ppc64le: 'ppc64' };

/** Whoever unpacked, as far as the bundle's owner matters. */
export interface BundleOwner {
  host: HostFacts;
  /** Ids of this process where it is a normal user without a namespace of subordinate ids. */
  single?: { uid: number; gid: number };
}

/**
 * config.json for the image, its root file system being `rootfs` beside it. A normal user's bundle has a user namespace;
 * with one id only, that id is the image's USER. The image's volumes are folders of the root file system.
 */
export function bundleSpec(
  image: ImageConfig,
  user: ResolvedUser,
  { host, single }: BundleOwner,
): RuntimeSpec {
  const { Volumes: _volumes, ...config } = image.config;
  const architecture = ARCHITECTURES[image.architecture] ?? image.architecture;
  const request = plainRequest({
    command: (config.Entrypoint ?? config.Cmd ?? []).length === 0 ? ['sh'] : [],
    securityOpt: hasSeccompFilter(architecture) ? [] : ['seccomp=unconfined'],
  });
  const maps =
    single === undefined
      ? host.rootless && { uids: host.ids.uids, gids: host.ids.gids }
      : {
          uids: [{ containerID: user.uid, hostID: single.uid, size: 1 }],
          gids: [{ containerID: user.gid, hostID: single.gid, size: 1 }],
        };
  const rootless = maps !== false;
  return generateSpec({
    id: 'bundle',
    image: config,
    request,
    user,
    host: {
      ...host,
      architecture,
      rootless,
      ids: { ...host.ids, setgroups: host.ids.setgroups && single === undefined },
    },
    rootfs: 'rootfs',
    network: 'new',
    ...(rootless ? { userNamespace: maps } : { cgroup: { swap: false } }),
    annotations: annotationsOf(image),
  });
}

function annotationsOf(image: ImageConfig): Record<string, string> {
  const { config } = image;
  const ports = Object.keys(config.ExposedPorts ?? {});
  const facts: Record<string, string | undefined> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    author: image.author,
    created: image.created,
    stopSignal: config.StopSignal,
    exposedPorts: ports.length === 0 ? undefined : ports.join(','),
  };
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[`org.opencontainers.image.${name}`, value]],
    ),
  );
}
