// Whose signature is wanted, from what a person or a program says.
import { OciError } from '../errors.ts';
import type { Demand } from '../verify/judge.ts';
import { parsePublicKey } from '../verify/public-key.ts';
import type { IdentityRule, TrustRoot } from '../verify/trust.ts';
import type { NamedText } from './text-file.ts';

/** Who has to have signed: one of the keys, or the identity. */
export interface SignerOptions {
  /** PEM. */
  publicKeys?: readonly NamedText[] | undefined;
  /** An e-mail address or URI, exactly. */
  certificateIdentity?: string | undefined;
  /** A regular expression that finds something in it; anchor it with ^ and $. */
  certificateIdentityRegexp?: string | undefined;
  /** URL of who vouched for the identity, exactly. */
  certificateOidcIssuer?: string | undefined;
  /** `trusted_root.json`; needed for identities. With a key it makes the entry in a log necessary. */
  trustedRoot?: NamedText | undefined;
  /** Claims the signature must make. */
  annotations?: Record<string, string> | undefined;
}

/** True when the options name somebody. */
export function namesSigner(options: SignerOptions): boolean {
  return (
    (options.publicKeys?.length ?? 0) > 0 ||
    options.certificateIdentity !== undefined ||
    options.certificateIdentityRegexp !== undefined
  );
}

/** The demand the options make. Throws USAGE. */
export async function demandOf(options: SignerOptions): Promise<Demand> {
  const { annotations, publicKeys = [], trustedRoot } = options;
  const identity = identityOf(options);
  const root = trustedRoot && (await readRoot(trustedRoot));
  if (publicKeys.length > 0) {
    if (identity !== undefined) throw new OciError('USAGE', 'a key and an identity exclude each other');
    const keys = publicKeys.map(({ text, name }) => parsePublicKey(text, name));
    return { trust: { by: 'key', keys, root }, annotations };
  }
  const issuer = options.certificateOidcIssuer;
  if (identity === undefined) {
    throw new OciError('USAGE', 'whose signature?', {
      hint: 'name a key with --public-key, or an identity with --certificate-identity and --certificate-oidc-issuer',
    });
  }
  if (issuer === undefined) {
    throw new OciError('USAGE', 'an identity means nothing without who vouches for it', {
      hint: 'add --certificate-oidc-issuer, such as https://token.actions.githubusercontent.com',
    });
  }
  if (root === undefined) {
    throw new OciError('USAGE', 'no trusted root to check certificates against', {
      hint: 'add --trusted-root FILE: the public one is trusted_root.json of github.com/sigstore/root-signing',
    });
  }
  return { trust: { by: 'certificate', root, issuer, identity }, annotations };
}

async function readRoot({ text, name }: NamedText): Promise<TrustRoot> {
  const { parseTrustedRoot } = await import('../verify/trust-root.ts');
  return parseTrustedRoot(text, name);
}

function identityOf(options: SignerOptions): IdentityRule | undefined {
  const { certificateIdentity: identity, certificateIdentityRegexp: pattern } = options;
  if (identity !== undefined && pattern !== undefined) {
    throw new OciError('USAGE', 'an identity and a pattern for identities exclude each other');
  }
  if (identity !== undefined) return { is: 'exactly', identity };
  if (pattern === undefined) return undefined;
  try {
    return { is: 'like', pattern: new RegExp(pattern, 'u') };
  } catch (cause) {
    throw new OciError('USAGE', `${pattern}: not a regular expression`, { cause });
  }
}
