// Digests as the OCI image spec defines them (descriptor.md#digests). A digest becomes part of paths and
// URLs, so text turns into a `Digest` only through `parseDigest` (CVE-2024-3727).
import { createHash, type Hash } from 'node:crypto';
import { OciError } from '../errors.ts';

/** A validated `algorithm:hex`. */
export type Digest = string & { readonly __digest: unique symbol };

/** The algorithms we can verify; sha384 is registered but used by nobody's images. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

const DIGEST = /^(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128})$/;

/** True when `text` is a digest we can verify. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** `text` as a digest. Throws INVALID_DIGEST. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new OciError('INVALID_DIGEST', `not a digest: ${JSON.stringify(text.slice(0, 200))}`, {
    hint: 'a digest looks like sha256: and 64 lower-case hexadecimal digits',
  });
}

/** `sha256` of `sha256:…`. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hexadecimal part. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The digest of `bytes`. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** A running hash whose `digest()` is a `Digest`. */
export interface Digester {
  update(chunk: Uint8Array): void;
  /** The digest so far; ends the digester. */
  digest(): Digest;
}

/** Starts a running digest. */
export function createDigester(algorithm: DigestAlgorithm = 'sha256'): Digester {
  const hash: Hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    digest: () => `${algorithm}:${hash.digest('hex')}` as Digest,
  };
}
