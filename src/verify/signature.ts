// What a signature is before anybody has looked at it, and what is known of one that holds.
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';

/** The annotations of a layer that is a signature (cosign, SIGNATURE_SPEC.md). Text of strangers. */
export interface CosignAnnotations {
  /** Base64. */
  signature: string;
  /** PEM. */
  certificate?: string | undefined;
  /** PEM, intermediate certificates first. */
  chain?: string | undefined;
  /** What the log promised: JSON with SignedEntryTimestamp and Payload. */
  log?: string | undefined;
  /** JSON with SignedRFC3161Timestamp. */
  timestamp?: string | undefined;
}

/** A signature as it is kept: under the tag `sha256-….sig`, or as a referrer of what it signs. Nothing of it is trusted. */
export type FoundSignature =
  | { form: 'tag'; origin: Digest; payload: Buffer; annotations: CosignAnnotations }
  | { form: 'bundle'; origin: Digest; bundle: Buffer };

/** What a signature has to be for. */
export interface Subject {
  digest: Digest;
  kind: 'index' | 'manifest';
  /** The document's bytes, which have that digest. */
  raw: Buffer;
}

export type Signer =
  /** `fingerprint`: SHA-256 of the key (DER, SubjectPublicKeyInfo). */
  | { kind: 'key'; fingerprint: Digest }
  /** `identity`: an e-mail address or a URI; `issuer`: who vouched for it, a URL. */
  | { kind: 'certificate'; identity: string; identityKind: 'email' | 'URI'; issuer: string };

/** A signature that holds. */
export interface ValidSignature {
  form: FoundSignature['form'];
  /** The blob the signature is in, or the payload it is of. */
  origin: Digest;
  /** What it is for. */
  signed: Digest;
  kind: Subject['kind'];
  signer: Signer;
  /** When it was made, by a log or a timestamp authority that is trusted (RFC 3339); undefined when nobody said so. */
  time?: string | undefined;
  /** The entry of the log. */
  logIndex?: number | undefined;
  /** The name the signer gave the image; a bundle has none. */
  claimedName?: string | undefined;
  annotations: Record<string, string>;
}

/** A signature that does not, in one line. */
export interface RefusedSignature {
  form: FoundSignature['form'];
  origin: Digest;
  reason: string;
}

/** Why a signature counts for nothing; `judge` turns it into a `RefusedSignature`. */
export function refusal(reason: string, cause?: unknown): OciError {
  return new OciError('SIGNATURE_INVALID', reason, { cause });
}
