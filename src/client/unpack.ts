// Unpack: an image's root file system in a directory of this machine, alone or as a bundle for an OCI runtime.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileError } from '../errors.ts';
import type { ImageConfig } from '../manifest/config.ts';
import type { Digest } from '../reference/digest.ts';
import type { LayerStats } from '../rootfs/layer-source.ts';
import { checkDestination, openStaging } from '../rootfs/staging.ts';
import { type UnpackOptions as EngineOptions, unpack as unpackLayers } from '../rootfs/unpack.ts';
import type { Client } from './client.ts';
import { type LocalImage, openLayers, rememberLayers } from './open-layers.ts';

/** Options of `unpack`. */
export type UnpackOptions = Pick<EngineOptions, 'force' | 'limits' | 'ownership' | 'workers'> & {
  /** Write an OCI runtime bundle: `config.json` and, beside it, the root file system as `rootfs`. */
  bundle?: boolean | undefined;
};

/** What was unpacked. */
export interface UnpackedImage {
  name: string;
  /** Digest of the platform's manifest. */
  digest: Digest;
  destination: string;
  /** Lowest first. */
  layers: LayerStats[];
  /** What could not be done as the image says; one line each. */
  warnings: string[];
}

/**
 * Writes the image's root file system to `destination`, which appears whole at the end or not at all.
 * Throws DESTINATION_NOT_EMPTY, LAYER_INVALID, LAYER_REFUSED, DIFF_ID_MISMATCH, LIMIT_EXCEEDED, DISK_FULL, PERMISSION,
 * and what opening the image throws; for a bundle also USER_NOT_FOUND and UNSUPPORTED for the image's USER.
 */
export async function unpack(
  client: Client,
  image: string,
  destination: string,
  options: UnpackOptions = {},
): Promise<UnpackedImage> {
  const limits = { ...client.limits, ...options.limits };
  // Before a registry is asked and layers are announced.
  checkDestination(destination, options.force ?? false);
  const opened = await openLayers({ ...client, limits }, image);
  try {
    for (const { descriptor } of opened.layers) client.onProgress?.({ type: 'queued', descriptor });
    const write = options.bundle === true ? writeBundle : writeRootfs;
    const { layers, warnings } = await write(client, opened, destination, { ...options, limits });
    await rememberLayers(client, opened, layers);
    return { name: opened.name, digest: opened.descriptor.digest, destination, layers, warnings };
  } finally {
    await opened.close();
  }
}

type Written = Pick<UnpackedImage, 'layers' | 'warnings'>;

function writeRootfs(
  client: Client,
  opened: LocalImage,
  destination: string,
  options: UnpackOptions,
): Promise<Written> {
  const { force, limits, ownership, workers } = options;
  const { signal, onProgress } = client;
  const verifyBlob = opened.unverified;
  return unpackLayers(opened.layers, destination, {
    signal,
    onProgress,
    verifyBlob,
    force,
    limits,
    ownership,
    workers,
  });
}

/** The whole bundle is built aside and takes its place by one rename, as a root file system alone does. */
async function writeBundle(
  client: Client,
  opened: LocalImage,
  destination: string,
  options: UnpackOptions,
): Promise<Written> {
  const staging = openStaging(destination, options.force ?? false);
  try {
    const bundle = staging.rootfs;
    const rootfs = join(bundle, 'rootfs');
    mkdirSync(bundle, { mode: 0o755 });
    const written = await writeRootfs(client, opened, rootfs, { ...options, force: false });
    const spec = await specOf(opened.config, rootfs);
    writeFileSync(join(bundle, 'config.json'), `${JSON.stringify(spec, undefined, 2)}\n`);
    staging.publish();
    if (spec.linux.seccomp !== undefined) return written;
    const message = `no seccomp filter for ${opened.config.architecture}: the bundle has none`;
    client.onProgress?.({ type: 'warning', message });
    return { ...written, warnings: [...written.warnings, message] };
  } catch (error) {
    throw fileError(error, destination);
  } finally {
    staging.remove();
  }
}

async function specOf(image: ImageConfig, rootfs: string) {
  const { bundleSpec } = await import('../runner/spec/bundle.ts');
  const { readHostFacts } = await import('../runner/spec/host-facts.ts');
  const { userInside } = await import('../runner/spec/user-inside.ts');
  const user = userInside(rootfs, image.config.User ?? '');
  const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0];
  return bundleSpec(image, user, { host: readHostFacts(), ...(uid !== 0 && { single: { uid, gid } }) });
}
