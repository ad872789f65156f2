// The descriptor: how every document and blob is named (image-spec descriptor.md).
import type { Digest } from '../reference/digest.ts';

/** What a platform-specific manifest runs on (image-spec image-index.md). */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  'os.version'?: string;
  'os.features'?: string[];
}

/** A typed, sized, content-addressed pointer. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Bytes. */
  size: number;
  urls?: string[];
  annotations?: Record<string, string>;
  /** The content itself, base64, when the document embeds it. */
  data?: string;
  artifactType?: string;
  platform?: Platform;
}
