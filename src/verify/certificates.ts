// Who issued a signer's certificate, where no certificate log is known: then sigstore-js, which wants every promise of a log
// in a certificate kept, cannot be asked.
import { X509Certificate } from 'node:crypto';
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import { parseJson } from '../json.ts';
import { refusal } from './signature.ts';

/** Certificates in one text; Fulcio sends two. */
const MOST = 10;
const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;
/** Extended key usage of who signs code (RFC 5280, 4.2.1.12). */
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';

/** The certificates in PEM text. Throws SIGNATURE_INVALID. */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(PEM) ?? [];
  if (blocks.length === 0 || blocks.length > MOST) throw refusal('its certificate cannot be read');
  return blocks.map((block) => certificateOf(Buffer.from(block)));
}

/** The certificate in DER or PEM. Throws SIGNATURE_INVALID. */
export function certificateOf(bytes: Uint8Array): X509Certificate {
  try {
    return new X509Certificate(bytes);
  } catch (cause) {
    throw refusal('its certificate cannot be read', cause);
  }
}

/**
 * True when an authority of `root` issued `leaf` for signing, itself or through one of the `intermediates`, and all of
 * them were valid at that time. One stranger's certificate between, no more: what an authority allows its own to issue
 * (path length) then needs no reading. Longer chains belong into the authority's file.
 */
export function isCertified(
  leaf: X509Certificate,
  intermediates: readonly X509Certificate[],
  root: TrustedRoot,
  at: Date,
): boolean {
  if (!isValidAt(leaf, at) || leaf.ca || !leaf.keyUsage?.includes(CODE_SIGNING)) return false;
  return root.certificateAuthorities.some(({ certChain, validFor }) => {
    if (at < (validFor?.start ?? at) || at > (validFor?.end ?? at)) return false;
    const anchors = (certChain?.certificates ?? []).map(({ rawBytes }) => new X509Certificate(rawBytes));
    const issuedByAnchor = (one: X509Certificate): boolean =>
      anchors.some((anchor) => isIssuedBy(one, anchor) && isValidAt(anchor, at));
    return (
      issuedByAnchor(leaf) ||
      intermediates.some((one) => isIssuedBy(leaf, one) && isValidAt(one, at) && issuedByAnchor(one))
    );
  });
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidAt(certificate: X509Certificate, at: Date): boolean {
  return certificate.validFromDate <= at && at <= certificate.validToDate;
}

const ONE_NAME = /^(email|URI):(?:("(?:[^"\\]|\\.)*")|([^",]+))$/;

/** Whom a certificate names: one name exactly, for of several each tool would choose another. Undefined for all else. */
export function nameIn(
  certificate: X509Certificate,
): { identity: string; identityKind: 'email' | 'URI' } | undefined {
  const [, kind, quoted, plain] = ONE_NAME.exec(certificate.subjectAltName ?? '') ?? [];
  const identity = quoted === undefined ? plain : parseJson(quoted);
  if (kind === undefined || typeof identity !== 'string') return undefined;
  return { identity, identityKind: kind as 'email' | 'URI' };
}
