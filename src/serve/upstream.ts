// The registry behind a pull-through server, as the routes see it, and how its refusals are passed on.

import { type ErrorCode, isOciError } from '../errors.ts';
import type { Descriptor } from '../manifest/descriptor.ts';
import type { ArrivingFile } from '../place/arrival.ts';
import type { BlobLocation } from '../place/place.ts';
import type { Digest } from '../reference/digest.ts';
import { Refusal, type RegistryErrorCode } from './answer.ts';

/**
 * Another registry that is asked for what the store lacks. Each answer is undefined for a repository of some other
 * registry. All throw IMAGE_NOT_FOUND, BLOB_NOT_FOUND, UNAUTHORIZED, DENIED and what requests throw.
 */
export interface Upstream {
  /** The registry's name, for messages. */
  readonly registry: string;
  /** What a tag or digest stands for there now; `document`: with its bytes. */
  manifest(
    name: string,
    reference: string,
    options: { document: boolean },
  ): Promise<UpstreamManifest | undefined>;
  /** What is known of a blob; nothing is brought. */
  describe(name: string, digest: Digest): Promise<Descriptor | undefined>;
  /** A blob on its way into the store, or there already. */
  blob(name: string, digest: Digest): Promise<UpstreamBlob | undefined>;
  tags(name: string): Promise<UpstreamTags | undefined>;
  referrers(name: string, subject: Digest): Promise<Descriptor[] | undefined>;
  /** Stops what is on its way, keeping its bytes for the next time. */
  close(): Promise<void>;
}

export interface UpstreamManifest {
  descriptor: Descriptor;
  /** Set when its bytes are not in the store. */
  raw: Buffer | undefined;
  /** Why it may be out of date. */
  stale: string | undefined;
}

export interface UpstreamTags {
  tags: string[];
  stale: string | undefined;
}

export interface UpstreamBlob {
  descriptor: Descriptor;
  content: BlobLocation | ArrivingContent;
}

/** A blob whose bytes are sent while they come. */
export interface ArrivingContent {
  file: ArrivingFile;
  /** Resolves when it is verified: before that its last byte is nobody's. */
  arrived: Promise<void>;
  /** To be called once by whoever got this. */
  release(): void;
}

export function isArrivingContent(content: BlobLocation | ArrivingContent): content is ArrivingContent {
  return 'release' in content;
}

/** `Warning: 299` of the distribution-spec, which clients show. */
export function warningHeader(stale: string | undefined): Record<string, string> {
  return stale === undefined ? {} : { warning: `299 - "${stale.replace(/[\\"]/g, '')}"` };
}

/** The failure of the other registry as this one's answer; what went wrong here is no client's to read. */
export function passOn(error: unknown, registry: string): unknown {
  const answer = isOciError(error) ? ANSWERS[error.code] : undefined;
  if (!isOciError(error) || answer === undefined) return error;
  const [status, code] = answer;
  return new Refusal(
    status,
    code,
    `${registry}: ${error.message}`,
    status === 429 ? { 'retry-after': '60' } : {},
  );
}

const ANSWERS: Partial<Record<ErrorCode, [status: number, code: RegistryErrorCode]>> = {
  IMAGE_NOT_FOUND: [404, 'MANIFEST_UNKNOWN'],
  BLOB_NOT_FOUND: [404, 'BLOB_UNKNOWN'],
  INVALID_REFERENCE: [400, 'NAME_INVALID'],
  // It is our credentials that were refused: asking this client for its own would not help.
  UNAUTHORIZED: [403, 'DENIED'],
  DENIED: [403, 'DENIED'],
  POLICY_REFUSED: [403, 'DENIED'],
  SIGNATURE_INVALID: [403, 'DENIED'],
  RATE_LIMITED: [429, 'TOOMANYREQUESTS'],
  TIMEOUT: [504, 'UNKNOWN'],
  NETWORK: [502, 'UNKNOWN'],
  TLS: [502, 'UNKNOWN'],
  REGISTRY_ERROR: [502, 'UNKNOWN'],
  DIGEST_MISMATCH: [502, 'UNKNOWN'],
  SIZE_MISMATCH: [502, 'UNKNOWN'],
  MANIFEST_INVALID: [502, 'UNKNOWN'],
  MANIFEST_TOO_LARGE: [502, 'UNKNOWN'],
};
