// Verify: which signatures of an image hold, by whom they are, and that one of them is by whom it should be.
import { OciError } from '../errors.ts';
import type { Digest } from '../reference/digest.ts';
import type { Reference } from '../reference/reference.ts';
import type { Demand } from '../verify/judge.ts';
import type { RefusedSignature, ValidSignature } from '../verify/signature.ts';
import { type CheckedImage, checkSignatures } from './check-signatures.ts';
import type { Client } from './client.ts';
import type { SignaturePlace } from './find-signatures.ts';
import { type OpenedSource, openSource } from './open-source.ts';
import { demandsOf, readPolicy, standardPolicyFile } from './policy.ts';
import { demandOf, namesSigner, type SignerOptions } from './signers.ts';
import { type Rule, uncheckedRepository } from './verified-repository.ts';

export interface VerifyOptions extends SignerOptions {
  /** Signers as a `policy.json` names them. Default, without any signer: the file podman and skopeo read. */
  policy?: string | undefined;
}

/** An image that is signed as it has to be. */
export interface VerifiedImage {
  name: string;
  /** What the name stands for. */
  digest: Digest;
  mediaType: string;
  /** What is signed of it: the same, or the manifest of the platform. */
  signed: { digest: Digest; mediaType: string };
  signatures: ValidSignature[];
  refused: RefusedSignature[];
  /** What was not looked at, one line each. */
  unchecked: string[];
}

/**
 * Checks an image's signatures: of what the name stands for or, where that is an index without one, of its manifest for
 * the client's platform. Signatures of a stored image are looked for in the store, then in its registry.
 * Throws SIGNATURE_INVALID (with each signature's fault as a warning), POLICY_REFUSED, USAGE, SETTINGS_INVALID, and what
 * opening the image throws.
 */
export async function verify(client: Client, image: string, options: VerifyOptions): Promise<VerifiedImage> {
  const rule = await verifyRule(options);
  const bare: Client = {
    ...client,
    repository: async (...asked) => uncheckedRepository(await client.repository(...asked)),
  };
  const opened = await openSource(bare, image);
  try {
    const { demands, checked } = await checkOpened(bare, opened, rule, { onePlatform: true });
    const { descriptor, valid, refused } = checked;
    return {
      name: opened.name,
      digest: opened.root.digest,
      mediaType: opened.root.mediaType,
      signed: { digest: descriptor.digest, mediaType: descriptor.mediaType },
      signatures: valid,
      refused,
      unchecked: uncheckedIn(demands),
    };
  } finally {
    await opened.close();
  }
}

/** Whose signatures are wanted, as a rule: a signer's, or a policy's. Throws USAGE, SETTINGS_INVALID. */
export async function verifyRule(options: VerifyOptions): Promise<Rule> {
  if (namesSigner(options)) {
    const demand = await demandOf(options);
    return async () => [demand];
  }
  const file = options.policy ?? standardPolicyFile();
  if (file === undefined) await demandOf(options);
  const policy = readPolicy(file ?? '');
  return async (reference) => {
    const demands = await demandsOf(policy, reference);
    if (demands.length > 0) return demands;
    throw new OciError('USAGE', `whose signature? ${policy.name} asks for none`, {
      hint: 'name a key with --public-key, or an identity with --certificate-identity and --certificate-oidc-issuer',
    });
  };
}

/** Checks what was opened, wherever it was. Throws as `verify` does. */
export async function checkOpened(
  client: Client,
  opened: OpenedSource,
  rule: Rule,
  use: { onePlatform?: boolean } = {},
): Promise<{ demands: readonly Demand[]; checked: CheckedImage }> {
  const { name, source, root, reference, from } = opened;
  const named = reference ?? unnamed;
  const signatures: (() => Promise<SignaturePlace>)[] = [async () => ({ source, repository: named })];
  if (from === 'store' && reference !== undefined) {
    signatures.push(async () => ({ source: await client.repository(reference), repository: reference }));
  }
  const demands = await rule(named);
  const checked = await checkSignatures(client, { name, source, root, signatures }, demands, use);
  return { demands, checked };
}

/** An image of a layout or archive has a tag, if that, and so have its signatures. */
const unnamed: Reference = { registry: 'localhost', repository: 'unnamed' };

function uncheckedIn(demands: readonly Demand[]): string[] {
  const keyOnly = demands.some(({ trust }) => trust.by === 'key' && trust.root === undefined);
  return keyOnly ? ['that a log has the signature, which --trusted-root makes necessary'] : [];
}
