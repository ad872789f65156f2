// Whose signature is wanted: the flags of `verify`, and of what copies with --verify.
import { Flags } from '@oclif/core';
import type { Client, RepositoryUse } from '../client/client.ts';
import { namedText } from '../client/text-file.ts';
import type { Rule } from '../client/verified-repository.ts';
import type { VerifyOptions } from '../client/verify.ts';
import { parseAnnotations } from './artifact-flags.ts';

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

/** For commands that copy: `--verify`, and whose signature, which makes no sense without. */
export const verifyFlags = {
  verify: Flags.boolean({
    helpGroup,
    summary: 'Only an image that is signed, checked before anything of it is fetched; by whom: see verify',
  }),
  ...(Object.fromEntries(
    Object.entries(signerFlags).map(([name, flag]) => [name, { ...flag, dependsOn: ['verify'] }]),
  ) as unknown as typeof signerFlags),
};

interface GivenFlags {
  verify?: boolean;
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

/** The rule of --verify; undefined without it. Throws USAGE, SETTINGS_INVALID, PERMISSION, IO. */
export async function verifyRuleOf(flags: GivenFlags): Promise<Rule | undefined> {
  if (flags.verify !== true) return undefined;
  const { verifyRule } = await import('../client/verify.ts');
  return await verifyRule(verifyOptions(flags));
}

/** The client, with the rule for all it reads from registries. */
export async function verifying(
  client: Client,
  rule: Rule | undefined,
  use?: RepositoryUse,
): Promise<Client> {
  if (rule === undefined) return client;
  const { verifyingClient } = await import('../client/verified-repository.ts');
  return verifyingClient(client, rule, use);
}
