// Whose signature is wanted: the flags of `verify`, and of what copies with --verify.
import { Flags } from '@oclif/core';
import { namedText } from '../client/policy.ts';
import type { VerifyOptions } from '../client/verify.ts';
import { parseAnnotations } from './annotations.ts';

const helpGroup = 'SIGNER';

export const signerFlags = {
  'public-key': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    multiple: true,
    multipleNonGreedy: true,
    summary: 'The key that signed (cosign.pub); given several times: any of them',
  }),
  'certificate-identity': Flags.string({
    helpGroup,
    helpValue: 'NAME',
    summary: 'Who signed without a key: an e-mail address or a URI, exactly',
  }),
  'certificate-identity-regexp': Flags.string({
    helpGroup,
    helpValue: 'PATTERN',
    summary: 'The same by a regular expression; anchor it with ^ and $',
  }),
  'certificate-oidc-issuer': Flags.string({
    helpGroup,
    helpValue: 'URL',
    summary: 'Who vouched for the identity, exactly',
  }),
  'trusted-root': Flags.string({
    helpGroup,
    helpValue: 'FILE',
    summary: "sigstore's trusted_root.json: needed for identities; with a key, makes a log entry necessary",
  }),
  annotation: Flags.string({
    char: 'a',
    helpGroup,
    helpValue: 'KEY=VALUE',
    multiple: true,
    multipleNonGreedy: true,
    summary: 'A claim the signature must make',
  }),
};

interface GivenFlags {
  'public-key'?: string[] | undefined;
  'certificate-identity'?: string | undefined;
  'certificate-identity-regexp'?: string | undefined;
  'certificate-oidc-issuer'?: string | undefined;
  'trusted-root'?: string | undefined;
  annotation?: string[] | undefined;
  policy?: string | undefined;
}

/** The flags as options; files are read. Throws USAGE, PERMISSION, IO. */
export function verifyOptions(flags: GivenFlags): VerifyOptions {
  const root = flags['trusted-root'];
  return {
    publicKeys: flags['public-key']?.map(namedText),
    certificateIdentity: flags['certificate-identity'],
    certificateIdentityRegexp: flags['certificate-identity-regexp'],
    certificateOidcIssuer: flags['certificate-oidc-issuer'],
    trustedRoot: root === undefined ? undefined : namedText(root),
    annotations: parseAnnotations(flags.annotation ?? []),
    policy: flags.policy || undefined,
  };
}
