// A signature of the tag form as a sigstore bundle, so that one verifier does for both.
import { digestOf, hexOf } from '../reference/digest.ts';
import { certificatesIn } from './certificates.ts';
import { decodeBase64, objectAt, parseSigned, textAt } from './json.ts';
import { type CosignAnnotations, refusal } from './signature.ts';

/** The JSON of a bundle over `payload`: a message signature, with what the log promised where it did. Throws SIGNATURE_INVALID. */
export function bundleOf(payload: Buffer, annotations: CosignAnnotations): object {
  const { certificate, log, timestamp } = annotations;
  const signature = decodeBase64(annotations.signature, 'signature');
  const [signer] = certificate === undefined ? [] : certificatesIn(certificate);
  return {
    mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
    messageSignature: {
      messageDigest: {
        algorithm: 'SHA2_256',
        digest: Buffer.from(hexOf(digestOf(payload)), 'hex').toString('base64'),
      },
      signature: signature.toString('base64'),
    },
    verificationMaterial: {
      ...(signer === undefined
        ? { publicKey: { hint: '' } }
        : { x509CertificateChain: { certificates: [{ rawBytes: signer.raw.toString('base64') }] } }),
      tlogEntries: log === undefined ? [] : [logEntry(log)],
      timestampVerificationData: { rfc3161Timestamps: timestamp === undefined ? [] : [stamp(timestamp)] },
    },
  };
}

/** cosign's bundle annotation: the log's signature over body, time and index of the entry. */
function logEntry(text: string): object {
  const json = parseSigned(text, 'log entry');
  const promise = textAt(json, 'SignedEntryTimestamp') ?? '';
  const entry = objectAt(json, 'Payload');
  const body = decodeBase64(textAt(entry, 'body') ?? '', 'log entry');
  const content = parseSigned(body, 'log entry');
  const { integratedTime, logIndex } = entry;
  const logId = textAt(entry, 'logID') ?? '';
  if (!isCount(integratedTime) || !isCount(logIndex) || !/^[a-f0-9]{64}$/.test(logId)) {
    throw refusal('its log entry is incomplete');
  }
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(logId, 'hex').toString('base64') },
    kindVersion: { kind: textAt(content, 'kind') ?? '', version: textAt(content, 'apiVersion') ?? '' },
    integratedTime: String(integratedTime),
    inclusionPromise: {
      signedEntryTimestamp: decodeBase64(promise, 'log entry').toString('base64'),
    },
    canonicalizedBody: body.toString('base64'),
  };
}

function stamp(text: string): object {
  const signed = textAt(parseSigned(text, 'timestamp'), 'SignedRFC3161Timestamp') ?? '';
  return { signedTimestamp: decodeBase64(signed, 'timestamp').toString('base64') };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
