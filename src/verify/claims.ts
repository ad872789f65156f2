// What a signed text says: which image it is about, and under which name. Read only after the signature was found to hold.

import { isRecord } from '../json.ts';
import { algorithmOf, hexOf } from '../reference/digest.ts';
import { objectAt, parseSigned, textAt, textsOf } from './json.ts';
import { refusal, type Subject } from './signature.ts';

/** The claims of a signature that are of use. */
export interface Claims {
  claimedName?: string | undefined;
  annotations: Record<string, string>;
}

/** What cosign, podman and skopeo write for a signature of theirs. */
const SIMPLE_SIGNING_TYPE = 'cosign container image signature';

/**
 * The claims of a simple-signing payload (containers-signature(5), as cosign uses it). Throws SIGNATURE_INVALID unless it
 * is about `subject`.
 */
export function readPayload(payload: Buffer, subject: Subject): Claims {
  const json = parseSigned(payload, 'payload');
  const critical = objectAt(json, 'critical');
  const type = textAt(critical, 'type');
  if (type !== SIMPLE_SIGNING_TYPE)
    throw refusal(`it is no signature of an image: critical.type is ${show(type)}`);
  const digest = textAt(objectAt(critical, 'image'), 'docker-manifest-digest');
  if (digest !== subject.digest) throw refusal(`it is for another image: ${show(digest)}`);
  return {
    claimedName: textAt(objectAt(critical, 'identity'), 'docker-reference'),
    annotations: textsOf(objectAt(json, 'optional')),
  };
}

const IN_TOTO = 'application/vnd.in-toto+json';
/** What cosign's statement says of an image it signs; others are attestations about it: how it was built, what is in it. */
const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

/**
 * The claims of an in-toto statement by which an image is signed. Throws SIGNATURE_INVALID when it is about other things
 * or says something else of them: that somebody scanned an image does not mean that they vouch for it.
 */
export function readStatement(payloadType: string, payload: Buffer, subject: Subject): Claims {
  if (payloadType !== IN_TOTO) throw refusal(`it is no in-toto statement, but ${show(payloadType)}`);
  const json = parseSigned(payload, 'statement');
  const type = textAt(json, '_type') ?? '';
  if (!/^https:\/\/in-toto\.io\/Statement\/v\d+(?:\.\d+)?$/.test(type)) {
    throw refusal(`it is no in-toto statement, but ${show(type)}`);
  }
  const predicate = textAt(json, 'predicateType');
  if (predicate !== SIGN_PREDICATE) throw refusal(`an attestation (${show(predicate)}), not a signature`);
  const subjects = Array.isArray(json.subject) ? json.subject.filter(isRecord) : [];
  const algorithm = algorithmOf(subject.digest);
  const found = subjects.find((one) => textAt(objectAt(one, 'digest'), algorithm) === hexOf(subject.digest));
  if (found === undefined) {
    const [other] = subjects;
    throw refusal(`it is for another image: ${show(other && textAt(objectAt(other, 'digest'), algorithm))}`);
  }
  return { annotations: textsOf(objectAt(found, 'annotations')) };
}

/** A stranger's text in a message. */
function show(text: string | undefined): string {
  return text === undefined ? 'missing' : text.slice(0, 200);
}
