// The verdict on signatures: documents in, what holds and why the others do not out. Nothing is fetched here.
import { isOciError } from '../errors.ts';
import { type Claims, readPayload, readStatement } from './claims.ts';
import { bundleOf } from './cosign-annotations.ts';
import { decodeBase64 } from './json.ts';
import { isSignedBy } from './public-key.ts';
import {
  type FoundSignature,
  type RefusedSignature,
  refusal,
  type Subject,
  type ValidSignature,
} from './signature.ts';
import type { Proof } from './sigstore.ts';
import type { Trust } from './trust.ts';

/** What a signature has to fulfil. */
export interface Demand {
  trust: Trust;
  /** Claims it must make (cosign's `-a`). */
  annotations?: Record<string, string> | undefined;
  /** Says why the name the signer gave the image will not do; undefined when it will. */
  refuseName?: ((claimedName: string | undefined) => string | undefined) | undefined;
}

/** What became of the signatures of one image. */
export interface Verdict {
  valid: ValidSignature[];
  refused: RefusedSignature[];
}

/** Judges each signature by itself: one that is broken takes nothing from another that holds. */
export async function judge(
  signatures: readonly FoundSignature[],
  subject: Subject,
  demand: Demand,
): Promise<Verdict> {
  const verdict: Verdict = { valid: [], refused: [] };
  for (const found of signatures) {
    const { form, origin } = found;
    try {
      verdict.valid.push(await check(found, subject, demand));
    } catch (error) {
      if (!isOciError(error, 'SIGNATURE_INVALID')) throw error;
      verdict.refused.push({ form, origin, reason: error.message });
    }
  }
  return verdict;
}

async function check(found: FoundSignature, subject: Subject, demand: Demand): Promise<ValidSignature> {
  const { form, origin } = found;
  const { proof, claims } =
    form === 'tag'
      ? await checkTagged(found, subject, demand.trust)
      : await checkBundle(found.bundle, subject, demand.trust);
  for (const [key, value] of Object.entries(demand.annotations ?? {})) {
    const actual = Object.hasOwn(claims.annotations, key) ? claims.annotations[key] : undefined;
    if (actual !== value)
      throw refusal(`its annotation ${key} is ${actual?.slice(0, 200) ?? 'missing'}, not ${value}`);
  }
  const problem = demand.refuseName?.(claims.claimedName);
  if (problem !== undefined) throw refusal(problem);
  return { form, origin, signed: subject.digest, kind: subject.kind, ...proof, ...claims };
}

interface Checked {
  proof: Proof;
  claims: Claims;
}

async function checkTagged(
  { payload, annotations }: Extract<FoundSignature, { form: 'tag' }>,
  subject: Subject,
  trust: Trust,
): Promise<Checked> {
  if (trust.by === 'key' && trust.root === undefined) {
    const signature = decodeBase64(annotations.signature, 'signature');
    const signer = trust.keys.find(({ key }) => isSignedBy(key, payload, signature));
    if (signer === undefined) throw refusal('it was not made with the key');
    const proof: Proof = { signer: { kind: 'key', fingerprint: signer.fingerprint } };
    return { proof, claims: readPayload(payload, subject) };
  }
  const { parseBundle, prove } = await import('./sigstore.ts');
  const bundle = parseBundle(bundleOf(payload, annotations));
  const proof = await prove(bundle, payload, trust, annotations.chain);
  return { proof, claims: readPayload(payload, subject) };
}

async function checkBundle(json: Buffer, subject: Subject, trust: Trust): Promise<Checked> {
  const { parseBundle, prove } = await import('./sigstore.ts');
  const bundle = parseBundle(json);
  const proof = await prove(bundle, subject.raw, trust);
  // A message signature is over the manifest itself, and makes no further claims.
  if (bundle.content.$case === 'messageSignature') return { proof, claims: { annotations: {} } };
  const { payloadType, payload } = bundle.content.dsseEnvelope;
  return { proof, claims: readStatement(payloadType, payload, subject) };
}
