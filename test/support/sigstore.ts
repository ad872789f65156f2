// A sigstore of the test's own: certificate authority, certificate log, transparency log and timestamp authority (those
// of sigstore-js' mock servers, without the servers), their trusted root, and signatures in the forms cosign keeps them.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { initializeCA, initializeCTLog } from '@sigstore/mock/dist/fulcio/index.js';
import { initializeTLog } from '@sigstore/mock/dist/rekor/index.js';
import { initializeTSA } from '@sigstore/mock/dist/timestamp/index.js';
import type { Digest } from '../../src/reference/digest.ts';
import type { CosignAnnotations } from '../../src/verify/signature.ts';

export const ISSUER = 'https://accounts.example.com';
export const IDENTITY = 'https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main';
export const IN_TOTO = 'application/vnd.in-toto+json';

export interface KeyPair {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

export function ecKeys(namedCurve = 'P-256'): KeyPair {
  return generateKeyPairSync('ec', { namedCurve });
}

export function pemOf({ publicKey }: KeyPair): string {
  return publicKey.export({ format: 'pem', type: 'spki' }).toString();
}

/** The text cosign signs for an image, as it writes it. */
export function payloadFor(
  digest: Digest,
  { name = '', optional = {}, type = 'cosign container image signature' } = {},
): Buffer {
  const critical = {
    identity: { 'docker-reference': name },
    image: { 'docker-manifest-digest': digest },
    type,
  };
  return Buffer.from(JSON.stringify({ critical, optional }));
}

/** The statement by which cosign 3 signs an image. */
export function statementFor(
  digest: Digest,
  { predicateType = 'https://sigstore.dev/cosign/sign/v1', annotations = {} } = {},
): Buffer {
  const [algorithm = '', hex = ''] = digest.split(':');
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { [algorithm]: hex }, annotations }],
      predicateType,
      predicate: {},
    }),
  );
}

export function encodeDsse(payload: Buffer, type = IN_TOTO): Buffer {
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]);
}

export function signWith({ privateKey }: KeyPair, data: Buffer, hash: string | null = 'sha256'): string {
  return sign(hash, data, privateKey).toString('base64');
}

/** A bundle of a signed statement without a log: what `cosign sign --key --tlog-upload=false` makes. */
export function keyBundle(keys: KeyPair, payload: Buffer, type = IN_TOTO): Buffer {
  return Buffer.from(
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      verificationMaterial: { publicKey: { hint: 'cosign' } },
      dsseEnvelope: {
        payload: payload.toString('base64'),
        payloadType: type,
        signatures: [{ sig: signWith(keys, encodeDsse(payload, type)) }],
      },
    }),
  );
}

export interface MockSigstore {
  /** `trusted_root.json` */
  trustedRoot: string;
  /** PEM, as policy.json wants them. */
  caPem: string;
  logPem: string;
  /** The tag form, with a certificate or, given keys, without or with that of another authority. */
  tagged(
    payload: Buffer,
    options?: { keys?: KeyPair; identity?: string; certificate?: string },
  ): Promise<CosignAnnotations>;
  /** The bundle form; `stamped` has a timestamp and an entry that promises no time, as Rekor 2 makes them. */
  bundle(payload: Buffer, options?: { stamped?: boolean; type?: string }): Promise<Buffer>;
}

export interface MockOptions {
  /** When certificates are issued. They hold ten minutes. Default in a minute. */
  issuedAt?: Date;
  /** What the log's and the timestamp authority's clock says. Default in a minute. */
  loggedAt?: Date;
}

export async function mockSigstore(options: MockOptions = {}): Promise<MockSigstore> {
  // Whole seconds, which is all that sigstore-js reads of a timestamp's fractions, and after the authorities' own
  // certificates, however long making those takes.
  const soon = new Date((Math.floor(Date.now() / 1000) + 60) * 1000);
  const { issuedAt = soon, loggedAt = soon } = options;
  const [caKeys, logKeys, ctKeys, tsaKeys] = [ecKeys(), ecKeys(), ecKeys(), ecKeys()];
  const ctLog = await initializeCTLog(ctKeys, issuedAt);
  const ca = await initializeCA(caKeys, ctLog, issuedAt);
  const log = await initializeTLog('https://rekor.example.com', logKeys, loggedAt);
  const tsa = await initializeTSA(tsaKeys, loggedAt);

  async function certify(identity = IDENTITY): Promise<{ keys: KeyPair; certificate: Buffer }> {
    const keys = ecKeys();
    const issued = await ca.issueCertificate({
      publicKey: new Uint8Array(keys.publicKey.export({ format: 'der', type: 'spki' })),
      subjectAltName: identity,
      extensions: [{ oid: '1.3.6.1.4.1.57264.1.8', value: ISSUER }],
    });
    return { keys, certificate: bytes(issued) };
  }

  async function enter(entry: object): Promise<LogEntry> {
    const [logged] = Object.values(await log.log(entry));
    return logged as LogEntry;
  }

  return {
    trustedRoot: trustedRootOf({ ca: bytes(ca.rootCertificate), logKeys, ctKeys, tsa }),
    caPem: pem('CERTIFICATE', bytes(ca.rootCertificate)),
    logPem: pemOf({ publicKey: logKeys.publicKey, privateKey: logKeys.privateKey }),
    async tagged(payload, { keys: own, identity, certificate: given } = {}) {
      const made = own === undefined ? await certify(identity) : undefined;
      const keys = own ?? (made as { keys: KeyPair }).keys;
      const signature = signWith(keys, payload);
      const certificate = given ?? (made && pem('CERTIFICATE', made.certificate));
      const verifier = Buffer.from(certificate ?? pemOf(keys)).toString('base64');
      const entry = await enter({
        apiVersion: '0.0.1',
        kind: 'hashedrekord',
        spec: {
          data: { hash: { algorithm: 'sha256', value: hex(payload) } },
          signature: { content: signature, publicKey: { content: verifier } },
        },
      });
      const { body, integratedTime, logIndex, logID } = entry;
      const promise = { body, integratedTime, logIndex, logID };
      const log = JSON.stringify({
        SignedEntryTimestamp: entry.verification.signedEntryTimestamp,
        Payload: promise,
      });
      return { signature, certificate, log };
    },
    async bundle(payload, { stamped = false, type = IN_TOTO } = {}) {
      const { keys, certificate } = await certify();
      const sig = signWith(keys, encodeDsse(payload, type));
      const verifier = Buffer.from(pem('CERTIFICATE', certificate)).toString('base64');
      const entry = await enter({
        apiVersion: '0.0.1',
        kind: 'dsse',
        spec: {
          payloadHash: { algorithm: 'sha256', value: hex(payload) },
          signatures: [{ signature: sig, verifier }],
        },
      });
      const stamp = await tsa.timestamp({
        artifactHash: createHash('sha256').update(Buffer.from(sig, 'base64')).digest(),
        hashAlgorithmOID: '2.16.840.1.101.3.4.2.1',
        nonce: 1,
        policyOID: '1.3.6.1.4.1.57264.2',
        certReq: true,
      });
      return Buffer.from(
        JSON.stringify({
          mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
          verificationMaterial: {
            certificate: { rawBytes: certificate.toString('base64') },
            tlogEntries: [bundledEntry(entry, stamped)],
            timestampVerificationData: {
              rfc3161Timestamps: stamped ? [{ signedTimestamp: bytes(stamp).toString('base64') }] : [],
            },
          },
          dsseEnvelope: { payload: payload.toString('base64'), payloadType: type, signatures: [{ sig }] },
        }),
      );
    },
  };
}

interface LogEntry {
  body: string;
  integratedTime: number;
  logIndex: number;
  logID: string;
  verification: {
    signedEntryTimestamp: string;
    inclusionProof: { checkpoint: string; rootHash: string; treeSize: number; logIndex: number };
  };
}

function bundledEntry({ body, integratedTime, logIndex, logID, verification }: LogEntry, stamped: boolean) {
  const { inclusionProof: proof } = verification;
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logID, 'hex').toString('base64') },
    kindVersion: { kind: 'dsse', version: '0.0.1' },
    integratedTime: String(integratedTime),
    ...(!stamped && { inclusionPromise: { signedEntryTimestamp: verification.signedEntryTimestamp } }),
    inclusionProof: {
      logIndex: String(proof.logIndex),
      rootHash: Buffer.from(proof.rootHash, 'hex').toString('base64'),
      treeSize: String(proof.treeSize),
      hashes: [],
      checkpoint: { envelope: proof.checkpoint },
    },
    canonicalizedBody: body,
  };
}

function trustedRootOf({
  ca,
  logKeys,
  ctKeys,
  tsa,
}: {
  ca: Buffer;
  logKeys: KeyPair;
  ctKeys: KeyPair;
  tsa: Awaited<ReturnType<typeof initializeTSA>>;
}): string {
  const validFor = { start: '2000-01-01T00:00:00Z' };
  const chain = (...certificates: Buffer[]) => ({
    certChain: { certificates: certificates.map((one) => ({ rawBytes: one.toString('base64') })) },
    validFor,
  });
  const logOf = (baseUrl: string, { publicKey }: KeyPair) => {
    const der = publicKey.export({ format: 'der', type: 'spki' });
    return {
      baseUrl,
      hashAlgorithm: 'SHA2_256',
      publicKey: { rawBytes: der.toString('base64'), keyDetails: 'PKIX_ECDSA_P256_SHA_256', validFor },
      logId: { keyId: createHash('sha256').update(der).digest('base64') },
    };
  };
  return JSON.stringify({
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    tlogs: [logOf('https://rekor.example.com', logKeys)],
    certificateAuthorities: [chain(ca)],
    ctlogs: [logOf('https://ct.example.com', ctKeys)],
    timestampAuthorities: [chain(bytes(tsa.intCertificate), bytes(tsa.rootCertificate))],
  });
}

export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function hex(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function bytes(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
