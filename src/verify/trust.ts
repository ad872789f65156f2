// Whom to believe: the keys or identities that may sign, and the authorities that vouch for identities and times.
import type { TrustedRoot } from '@sigstore/protobuf-specs';
import type { PublicKey } from './public-key.ts';

/** Certificate authorities, logs and timestamp authorities; trust-root.ts makes them. */
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
