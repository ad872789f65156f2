// From policy.json on this machine to what an image has to fulfil.
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { OciError } from '../errors.ts';
import { familiarReference, type Reference } from '../reference/reference.ts';
import type { Demand } from '../verify/judge.ts';
import { type PemSource, type Policy, parsePolicy, type SigstoreSigned } from '../verify/policy-file.ts';
import { requirementsFor } from '../verify/policy-scope.ts';
import { parsePublicKey } from '../verify/public-key.ts';
import { fitsSignedIdentity } from '../verify/signed-identity.ts';
import type { Trust } from '../verify/trust.ts';
import { readText } from './text-file.ts';
import type { Rule } from './verified-repository.ts';

/** The file podman and skopeo read; undefined when there is none. */
export function standardPolicyFile(): string | undefined {
  const files = [join(homedir(), '.config/containers/policy.json'), '/etc/containers/policy.json'];
  return files.find((file) => statSync(file, { throwIfNoEntry: false })?.isFile());
}

/** Throws SETTINGS_INVALID, PERMISSION, IO. */
export function readPolicy(file: string): Policy {
  return parsePolicy(readText(file), file);
}

/** The policy in `file` as a rule for repositories. Throws SETTINGS_INVALID, PERMISSION, IO. */
export function ruleOf(file: string): Rule {
  const policy = readPolicy(file);
  return (reference) => demandsOf(policy, reference);
}

/**
 * What the policy asks of an image of a registry, all of it; nothing when it accepts anything.
 * Throws POLICY_REFUSED when it refuses the image, or asks for what cannot be verified here; SETTINGS_INVALID, USAGE.
 */
export async function demandsOf(policy: Policy, reference: Reference): Promise<Demand[]> {
  const asked = askedFor(reference);
  const { scope, requirements } = requirementsFor(policy, asked);
  const refuse = (why: string, hint?: string): OciError =>
    new OciError(
      'POLICY_REFUSED',
      `${familiarReference(reference)}: ${policy.name} ${why} (${scope || 'docker'})`,
      {
        hint,
      },
    );
  const demands: Demand[] = [];
  for (const requirement of requirements) {
    switch (requirement.type) {
      case 'insecureAcceptAnything':
        break;
      case 'reject':
        throw refuse('refuses it', 'the policy has to allow this registry or repository first');
      case 'signedBy':
      case 'signedBaseLayer':
        throw refuse(
          `asks for ${requirement.type}, and GPG signatures are not supported`,
          'podman and skopeo verify them; sigstoreSigned is verified here',
        );
      case 'sigstoreSigned':
        demands.push(await demandOf(requirement, asked));
    }
  }
  return demands;
}

async function demandOf(requirement: SigstoreSigned, asked: Reference): Promise<Demand> {
  const { signedIdentity } = requirement;
  return {
    trust: await trustOf(requirement),
    refuseName(claimed) {
      if (claimed === undefined) return 'it names no image, and the policy asks for a name';
      if (fitsSignedIdentity(signedIdentity, asked, claimed)) return undefined;
      return `it names ${claimed.slice(0, 300)}, and the policy asks for ${signedIdentity.type}`;
    },
  };
}

async function trustOf({ keys, logs, fulcio }: SigstoreSigned): Promise<Trust> {
  const log = logs.map((source) => pemOf(source, 'rekorPublicKeyData'));
  if (fulcio !== undefined) {
    const authorities = [pemOf(fulcio.authorities, 'caData')];
    const { trustRootOf } = await import('../verify/trust-root.ts');
    const root = trustRootOf({ authorities, logs: log });
    const identity = { is: 'exactly', identity: fulcio.subjectEmail, kind: 'email' } as const;
    return { by: 'certificate', root, issuer: fulcio.oidcIssuer, identity };
  }
  const trusted = keys
    .map((source) => pemOf(source, 'keyData'))
    .map(({ pem, name }) => parsePublicKey(pem, name));
  if (log.length === 0) return { by: 'key', keys: trusted };
  const { trustRootOf } = await import('../verify/trust-root.ts');
  return { by: 'key', keys: trusted, root: trustRootOf({ authorities: [], logs: log }) };
}

/** A name with a digest is an image by that digest; a tag beside it says nothing more. */
function askedFor({ registry, repository, tag, digest }: Reference): Reference {
  if (digest !== undefined) return { registry, repository, digest };
  return tag === undefined ? { registry, repository } : { registry, repository, tag };
}

function pemOf(source: PemSource, member: string): { pem: string; name: string } {
  if ('path' in source) return { pem: readText(source.path), name: source.path };
  return { pem: source.pem, name: `${member} of the policy` };
}
