// The part of verifying that sigstore-js does: certificates, logs and timestamps against a trust root. Loaded only when a
// signature needs it; whose bytes are signed by which key is asked of node:crypto, which takes more kinds of keys.
import type { X509Certificate } from 'node:crypto';
import { type Bundle, bundleFromJSON } from '@sigstore/bundle';
import { type SignedEntity, toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { isOciError } from '../errors.ts';
import { digestOf } from '../reference/digest.ts';
import { certificateOf, certificatesIn, isCertified, nameIn } from './certificates.ts';
import { parseSigned } from './json.ts';
import { isSignedBy } from './public-key.ts';
import { refusal, type Signer } from './signature.ts';
import { fitsIdentity, type Trust, type TrustRoot } from './trust.ts';

/** A bundle that holds, and what its authorities say of it. */
export interface Proof {
  signer: Signer;
  time?: string | undefined;
  logIndex?: number | undefined;
}

/** The bundle in `json`. Throws SIGNATURE_INVALID. */
export function parseBundle(json: Buffer | object): Bundle {
  const value = Buffer.isBuffer(json) ? parseSigned(json, 'bundle') : json;
  try {
    return bundleFromJSON(value);
  } catch (cause) {
    throw refusal('its bundle is incomplete', cause);
  }
}

/** The bytes the bundle's signature is over: what the envelope encodes, or `artifact`. */
export function signedBytes({ content }: Bundle, artifact: Buffer): Buffer {
  if (content.$case === 'messageSignature') return artifact;
  const { payloadType, payload } = content.dsseEnvelope;
  // DSSE's pre-authentication encoding
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Checks the bundle's signature over its envelope, or over `artifact`. Throws SIGNATURE_INVALID. */
export async function prove(bundle: Bundle, artifact: Buffer, trust: Trust, chain?: string): Promise<Proof> {
  const data = signedBytes(bundle, artifact);
  checkMessageDigest(bundle, artifact);
  const entity = entityOf(bundle, artifact);
  const { signature } = entity.signature;
  if (trust.by === 'key') {
    const signer = trust.keys.find(({ key }) => isSignedBy(key, data, signature));
    if (signer === undefined) throw refusal('it was not made with the key');
    const proof: Proof = { signer: { kind: 'key', fingerprint: signer.fingerprint } };
    if (trust.root === undefined) return proof;
    const { root } = trust;
    const found = { publicKey: signer.key, validFor: () => true };
    const verifier = new Verifier(
      toTrustMaterial(root, () => found),
      { ctlogThreshold: 0, tlogThreshold: atLeastOne(root.tlogs), timestampThreshold: 0 },
    );
    run(() => verifier.verify({ ...bytesOf(entity, data), key: { $case: 'public-key', hint: '' } }));
    return { ...proof, ...timeOf(entity) };
  }
  const certificate = certificateIn(bundle, entity);
  if (certificate === undefined) throw refusal('it was made with a key, not by an identity');
  checkCertificate(entity, data, certificate.parsed, trust.root, chain);
  const name = nameIn(certificate.parsed);
  const { issuer } = certificate;
  if (name === undefined || issuer === undefined) {
    throw refusal('its certificate does not name one e-mail address or URI and an issuer');
  }
  if (issuer !== trust.issuer) throw refusal(`its issuer is ${issuer.slice(0, 200)}`);
  if (!fitsIdentity(trust.identity, name.identity, name.identityKind)) {
    throw refusal(`it was made by ${name.identity.slice(0, 200)}`);
  }
  return { signer: { kind: 'certificate', ...name, issuer }, ...timeOf(entity) };
}

/** Certificate, log, times and signature of a keyless bundle. */
function checkCertificate(
  entity: SignedEntity,
  data: Buffer,
  certificate: X509Certificate,
  root: TrustRoot,
  chain: string | undefined,
): void {
  const thresholds = { tlogThreshold: atLeastOne(root.tlogs), timestampThreshold: 1 };
  if (root.ctlogs.length > 0) {
    const verifier = new Verifier(toTrustMaterial(root), { ctlogThreshold: 1, ...thresholds });
    run(() => verifier.verify(bytesOf(entity, data)));
    return;
  }
  // No log of certificates to believe: the certificate is a key that is valid as long as it is certified.
  const intermediates = chain === undefined ? [] : certificatesIn(chain);
  const validFor = (at: Date): boolean => {
    if (isCertified(certificate, intermediates, root, at)) return true;
    throw refusal(`no trusted authority issued its certificate for signing at ${at.toISOString()}`);
  };
  const found = { publicKey: certificate.publicKey, validFor };
  const verifier = new Verifier(
    toTrustMaterial(root, () => found),
    thresholds,
  );
  run(() => verifier.verify({ ...bytesOf(entity, data), key: { $case: 'public-key', hint: '' } }));
}

function entityOf(bundle: Bundle, artifact: Buffer): SignedEntity {
  try {
    return toSignedEntity(bundle, artifact);
  } catch (cause) {
    throw refusal('its certificate or timestamp cannot be read', cause);
  }
}

/** The entity with its signature asked of `isSignedBy`. */
function bytesOf(entity: SignedEntity, data: Buffer): SignedEntity {
  const { signature } = entity;
  return {
    ...entity,
    signature: {
      signature: signature.signature,
      compareSignature: (other) => signature.compareSignature(other),
      compareDigest: (digest) => signature.compareDigest(digest),
      compareSignedDigest: (digest) => signature.compareSignedDigest(digest),
      verifySignature: (key) => isSignedBy(key, data, signature.signature),
    },
  };
}

/** The log's entry is compared with the digest the bundle states, so that has to be the artifact's. */
function checkMessageDigest({ content }: Bundle, artifact: Buffer): void {
  if (content.$case !== 'messageSignature') return;
  const stated = content.messageSignature.messageDigest.digest.toString('hex');
  const fits = (['sha256', 'sha384', 'sha512'] as const).some(
    (algorithm) => digestOf(artifact, algorithm) === `${algorithm}:${stated}`,
  );
  if (!fits) throw refusal('it is for other bytes: the digest in its bundle is another');
}

function atLeastOne(list: readonly unknown[]): number {
  return Math.min(list.length, 1);
}

/** sigstore-js throws errors of its own, and others where what a stranger wrote surprises it. */
function run<T>(verify: () => T): T {
  try {
    return verify();
  } catch (error) {
    if (isOciError(error)) throw error;
    const reasons: string[] = [];
    for (let at: unknown = error; at instanceof Error && reasons.length < 3; at = at.cause)
      reasons.push(at.message);
    throw refusal(reasons.join(': ') || 'it cannot be verified', error);
  }
}

/** When it was made: the first that a log promised or an authority stamped. Both were verified by now. */
function timeOf({ timestamps, tlogEntries }: SignedEntity): Pick<Proof, 'time' | 'logIndex'> {
  const promised = tlogEntries.find(({ inclusionPromise }) => inclusionPromise !== undefined);
  if (promised !== undefined) {
    const time = new Date(Number(promised.integratedTime) * 1000).toISOString();
    return { time, logIndex: Number(promised.logIndex) };
  }
  const stamped = timestamps.find((one) => one.$case === 'timestamp-authority');
  return stamped === undefined ? {} : { time: stamped.timestamp.signingTime.toISOString() };
}

/** Fulcio's extension for who vouched for the name, and the older one of the same meaning. */
const ISSUER = { current: '1.3.6.1.4.1.57264.1.8', old: '1.3.6.1.4.1.57264.1.1' };

/** What is between the parts of a certificate that sigstore-js and node:crypto read. */
interface Certificate {
  parsed: X509Certificate;
  issuer: string | undefined;
}

function certificateIn(bundle: Bundle, { key }: SignedEntity): Certificate | undefined {
  const { content } = bundle.verificationMaterial;
  if (content.$case === 'publicKey' || key.$case !== 'certificate') return undefined;
  const { certificate: read } = key;
  const certificate =
    content.$case === 'certificate' ? content.certificate : content.x509CertificateChain.certificates[0];
  const issuer = run(
    () =>
      read.extension(ISSUER.current)?.valueObj.subs[0]?.value.toString() ??
      read.extension(ISSUER.old)?.value.toString(),
  );
  return { parsed: certificateOf(certificate?.rawBytes ?? Buffer.alloc(0)), issuer };
}
