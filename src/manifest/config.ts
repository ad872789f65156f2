// The image config: what the image runs, on what, and which layers make it up (image-spec config.md).
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import type { ImageManifest } from './document.ts';

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

export function parseConfig(_bytes: Uint8Array): ImageConfig {
  throw new OciError('UNSUPPORTED', 'not yet');
}

export function checkLayersAgainstDiffIds(_manifest: ImageManifest, _config: ImageConfig): void {
  throw new OciError('UNSUPPORTED', 'not yet');
}
