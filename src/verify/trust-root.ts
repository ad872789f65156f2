// From files to a root of trust. Imported lazily, and its packages statically: the bundler loses the exports of packages
// that are imported otherwise.
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { OciError } from '../errors.ts';
import { certificatesIn } from './certificates.ts';
import { parsePublicKey } from './public-key.ts';
import type { TrustRoot } from './trust.ts';

/**
 * A `trusted_root.json` (sigstore's TrustedRoot). What it names is required of every signature: an entry in one of its
 * logs, a certificate seen by one of its certificate logs. Throws USAGE.
 */
export function parseTrustedRoot(text: string, name: string): TrustRoot {
  const invalid = (why: string, cause?: unknown): OciError =>
    new OciError('USAGE', `${name}: not a trusted root: ${why}`, {
      hint: 'cosign trusted-root create writes one; the public one is trusted_root.json of sigstore/root-signing',
      cause,
    });
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
export function trustRootOf({
  authorities,
  logs,
}: {
  authorities: { pem: string; name: string }[];
  logs: { pem: string; name: string }[];
}): TrustRoot {
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
