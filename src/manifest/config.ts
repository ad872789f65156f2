// The image config: what the image runs, on what, and which layers make it up (image-spec config.md).
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import type { ImageManifest } from './document.ts';
import { parseJson } from './json.ts';
import { configSchema, validate } from './schema.ts';

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

/** The config in `bytes`; `null` fields, which docker writes, count as absent. Throws CONFIG_INVALID. */
export function parseConfig(bytes: Uint8Array): ImageConfig {
  let json: unknown;
  try {
    json = parseJson(bytes);
  } catch (cause) {
    throw invalid('not JSON', cause);
  }
  const checked = validate(configSchema, json);
  if (!checked.ok) throw invalid(checked.problem);
  return checked.value as ImageConfig;
}

/** Each layer has one diff ID, in the same order (image-spec config.md, rootfs). Throws CONFIG_INVALID. */
export function checkLayersAgainstDiffIds(manifest: ImageManifest, config: ImageConfig): void {
  const layers = manifest.layers.length;
  const diffIds = config.rootfs.diff_ids.length;
  if (layers !== diffIds) throw invalid(`${diffIds} diff IDs for the ${layers} layers of the manifest`);
}

function invalid(problem: string, cause?: unknown): OciError {
  return new OciError('CONFIG_INVALID', `not a valid image config: ${problem}`, {
    hint: 'see it with: ocitool inspect --config',
    cause,
  });
}
