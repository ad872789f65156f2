// The registry behind a pull-through server, as the routes see it, and how its refusals are passed on.

import { isOciError, type OciError } from '../errors.ts';
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

/** The failure of the other registry as this one's answer. */
export function passOn(error: unknown, registry: string): unknown {
  if (!isOciError(error)) return error;
  const [status, code] = answerFor(error);
  return new Refusal(
    status,
    code,
    `${registry}: ${error.message}`,
    status === 429 ? { 'retry-after': '60' } : {},
  );
}

function answerFor({ code }: OciError): [status: number, code: RegistryErrorCode] {
  switch (code) {
    case 'IMAGE_NOT_FOUND':
      return [404, 'MANIFEST_UNKNOWN'];
    case 'BLOB_NOT_FOUND':
      return [404, 'BLOB_UNKNOWN'];
    // It is our credentials that were refused: asking this client for its own would not help.
    case 'UNAUTHORIZED':
    case 'DENIED':
    case 'CREDENTIALS':
      return [403, 'DENIED'];
    case 'INVALID_REFERENCE':
      return [400, 'NAME_INVALID'];
    case 'RATE_LIMITED':
      return [429, 'TOOMANYREQUESTS'];
    case 'DISK_FULL':
      return [507, 'UNKNOWN'];
    case 'TIMEOUT':
      return [504, 'UNKNOWN'];
    default:
      return [502, 'UNKNOWN'];
  }
}
