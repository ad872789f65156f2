// Whom to believe: the keys or identities that may sign, and the authorities that vouch for identities and times.
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { OciError } from '../errors.ts';
import { certificatesIn } from './certificates.ts';
import { type PublicKey, parsePublicKey } from './public-key.ts';

/** Certificate authorities, logs and timestamp authorities; made by `parseTrustedRoot` or `trustRootOf`. */
export type TrustRoot = TrustedRoot;

/** Who may sign. One of these has to fit. */
export type Trust =
  /** With `root`, its logs must have the signature, too; without, nothing is asked but the key. */
  | { by: 'key'; keys: readonly PublicKey[]; root?: TrustRoot | undefined }
  | { by: 'certificate'; root: TrustRoot; issuer: string; identity: IdentityRule };

export type IdentityRule =
  | { is: 'exactly'; identity: string; kind?: 'email' | 'URI' | undefined }
  | { is: 'like'; pattern: RegExp };

/** True when the rule lets the identity sign. */
export function fitsIdentity(rule: IdentityRule, identity: string, kind: 'email' | 'URI'): boolean {
  if (rule.is === 'like') return rule.pattern.test(identity);
  return rule.identity === identity && (rule.kind === undefined || rule.kind === kind);
}

/**
 * A `trusted_root.json` (sigstore's TrustedRoot). What it names is required of every signature: an entry in one of its
 * logs, a certificate seen by one of its certificate logs. Throws USAGE.
 */
export async function parseTrustedRoot(text: string, name: string): Promise<TrustRoot> {
  const invalid = (why: string, cause?: unknown): OciError =>
    new OciError('USAGE', `${name}: not a trusted root: ${why}`, {
      hint: 'cosign trusted-root create writes one; the public one is trusted_root.json of sigstore/root-signing',
      cause,
    });
  const { TrustedRoot } = await import('@sigstore/protobuf-specs');
  const { toTrustMaterial } = await import('@sigstore/verify');
  let root: TrustedRoot;
  try {
    root = TrustedRoot.fromJSON(JSON.parse(text));
    toTrustMaterial(root);
  } catch (cause) {
    throw invalid('it cannot be read', cause);
  }
  if (!/^application\/vnd\.dev\.sigstore\.trustedroot[+.]/.test(root.mediaType))
    throw invalid('its mediaType is another');
  if (root.tlogs.length + root.timestampAuthorities.length === 0) {
    throw invalid('neither a log nor a timestamp authority in it');
  }
  return root;
}

/** What a policy gives instead: certificate authorities and logs' keys as PEM, valid at any time. Throws USAGE. */
export async function trustRootOf({
  authorities,
  logs,
}: {
  authorities: { pem: string; name: string }[];
  logs: { pem: string; name: string }[];
}): Promise<TrustRoot> {
  const { TrustedRoot } = await import('@sigstore/protobuf-specs');
  const certificates = authorities.flatMap(({ pem, name }) => {
    try {
      return certificatesIn(pem);
    } catch (cause) {
      throw new OciError('USAGE', `${name}: no certificate (PEM) in it`, { cause });
    }
  });
  const validFor = { start: new Date(0).toISOString() };
  return TrustedRoot.fromJSON({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    certificateAuthorities: certificates.map(({ raw }) => ({
      certChain: { certificates: [{ rawBytes: raw.toString('base64') }] },
      validFor,
    })),
    tlogs: logs.map(({ pem, name }) => {
      const { key, fingerprint } = parsePublicKey(pem, name);
      const der = key.export({ format: 'der', type: 'spki' }).toString('base64');
      return {
        hashAlgorithm: 'SHA2_256',
        publicKey: { rawBytes: der, keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
        logId: { keyId: Buffer.from(fingerprint.slice('sha256:'.length), 'hex').toString('base64') },
      };
    }),
  });
}
