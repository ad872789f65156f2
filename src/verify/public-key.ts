// A signer's public key, as cosign and openssl write it, and the one question asked of it.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { OciError } from '../errors.ts';
import { type Digest, digestOf } from '../reference/digest.ts';

/** A key that may sign. */
export interface PublicKey {
  key: KeyObject;
  /** SHA-256 of the key (DER, SubjectPublicKeyInfo): `openssl pkey -pubin -outform der | sha256sum`. */
  fingerprint: Digest;
}

/** RSA keys below this can be factored. Bits. */
const MIN_RSA_BITS = 2048;

/** The hashes tried for a curve: cosign signs with SHA-256 whatever the curve, newer ones with the hash of its size. */
const HASHES = {
  prime256v1: ['sha256'],
  secp384r1: ['sha384', 'sha256'],
  secp521r1: ['sha512', 'sha256'],
} as const;

/** The key in `pem`, read from `name`. Throws USAGE for anything but a public key of a kind we verify. */
export function parsePublicKey(pem: string | Buffer, name: string): PublicKey {
  const text = pem.toString();
  // Node would make the public key of a private one: whoever passes that by mistake should hear of it.
  if (!/-----BEGIN (?:RSA )?PUBLIC KEY-----/.test(text)) {
    const isPrivate = text.includes('PRIVATE KEY-----');
    throw new OciError('USAGE', `${name}: not a public key (PEM)${isPrivate ? ', but a private one' : ''}`, {
      hint: isPrivate
        ? 'give the public half: cosign.pub, or what openssl pkey -pubout prints'
        : 'it should begin with -----BEGIN PUBLIC KEY-----',
    });
  }
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw new OciError('USAGE', `${name}: the public key cannot be read`, { cause });
  }
  const problem = problemOf(key);
  if (problem !== undefined) throw new OciError('USAGE', `${name}: ${problem}`);
  return { key, fingerprint: digestOf(key.export({ format: 'der', type: 'spki' })) };
}

/** True when `signature` is `key`'s over `data`: ECDSA (DER), RSA PKCS #1 v1.5, or Ed25519. */
export function isSignedBy(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  if (problemOf(key) !== undefined) return false;
  return hashesOf(key).some((hash) => {
    try {
      return verify(hash, data, key, signature);
    } catch {
      // OpenSSL throws at some signatures that are no signatures.
      return false;
    }
  });
}

function hashesOf(key: KeyObject): readonly (string | null)[] {
  if (key.asymmetricKeyType === 'ed25519') return [null];
  if (key.asymmetricKeyType === 'rsa') return ['sha256', 'sha512', 'sha384'];
  return HASHES[key.asymmetricKeyDetails?.namedCurve as keyof typeof HASHES] ?? [];
}

function problemOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ed25519') return undefined;
  if (type === 'rsa') {
    const bits = details?.modulusLength ?? 0;
    return bits < MIN_RSA_BITS
      ? `an RSA key of ${bits} bits; ${MIN_RSA_BITS} is the least that is safe`
      : undefined;
  }
  if (type === 'ec' && Object.hasOwn(HASHES, details?.namedCurve ?? '')) return undefined;
  return `a ${details?.namedCurve ?? type} key; ECDSA (P-256, P-384, P-521), RSA and Ed25519 can be verified`;
}
