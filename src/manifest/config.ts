// The image config: what the image runs, on what, and which layers make it up (image-spec config.md).
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import type { ImageManifest } from './document.ts';
import { parseObject } from './json.ts';
import { checkShape, configSchema } from './schema.ts';

/** How a container is started. */
export interface RunConfig {
  User?: string;
  Env?: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  WorkingDir?: string;
  /** Keys are `80/tcp`. */
  ExposedPorts?: Record<string, unknown>;
  /** Keys are paths. */
  Volumes?: Record<string, unknown>;
  Labels?: Record<string, string>;
  StopSignal?: string;
}

/** One step of the build. */
export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** An image's config document. */
export interface ImageConfig {
  architecture: string;
  os: string;
  variant?: string;
  'os.version'?: string;
  'os.features'?: string[];
  created?: string;
  author?: string;
  config: RunConfig;
  rootfs: { type: string; diff_ids: Digest[] };
  history: HistoryEntry[];
}

/**
 * The image config in `bytes`; members Docker writes as null are absent. Throws CONFIG_INVALID naming the member, and
 * UNSUPPORTED for diff IDs that cannot be verified. An artifact's config (Helm, signatures) is not an image's and fails here.
 */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  const name = 'the image config';
  return checkShape(configSchema, parseObject(bytes, name, 'CONFIG_INVALID'), name, 'CONFIG_INVALID');
}

/** Throws CONFIG_INVALID unless the config has one diff ID for each layer: what is unpacked could not be checked. */
export function checkLayersAgainstDiffIds(manifest: ImageManifest, config: ImageConfig): void {
  const [layers, diffIds] = [manifest.layers.length, config.rootfs.diff_ids.length];
  if (layers === diffIds) return;
  throw new OciError(
    'CONFIG_INVALID',
    `${manifest.config.digest}: the config has ${diffIds} diff IDs for the ${layers} layers of the manifest`,
    { hint: 'manifest and config do not belong together; the image has to be built or pushed again' },
  );
}
