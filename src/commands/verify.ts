import { Flags } from '@oclif/core';
import { OciCommand, type Session } from '../cli/command.ts';
import { imageArg } from '../cli/flags.ts';
import { signerFlags, verifyOptions } from '../cli/signer-flags.ts';
import { verify } from '../client/verify.ts';
import { OciError } from '../errors.ts';
import { signatureLines } from '../ui/signatures.ts';

export default class Verify extends OciCommand<typeof Verify> {
  static override summary = "Check an image's signatures";
  static override description =
    'Finds signatures where cosign, podman and skopeo keep them (the tag sha256-….sig, or referrers with sigstore bundles) and checks them by a key, or by the identity in a certificate and a trusted root; without either, by --policy or the policy.json of podman and skopeo. An index that is not signed gives way to its image for one platform. Nothing is asked of any log or authority over the network. Ends with 6 when no signature holds.';
  static override examples = [
    '<%= config.bin %> verify --public-key cosign.pub ghcr.io/acme/app:1',
    '<%= config.bin %> verify --trusted-root trusted_root.json --certificate-identity https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main --certificate-oidc-issuer https://token.actions.githubusercontent.com ghcr.io/acme/app:1',
    '<%= config.bin %> verify --policy policy.json ghcr.io/acme/app:1',
  ];
  static override args = { image: imageArg };
  static override flags = {
    ...signerFlags,
    // As it is everywhere, but heard out alone: cosign's --key is another.
    key: Flags.string({
      helpGroup: 'GLOBAL',
      helpValue: 'FILE',
      summary: 'Key of the client certificate (PEM)',
    }),
  };

  protected async execute({ args, flags, client, answer, note }: Session<typeof Verify>): Promise<void> {
    if (flags.key !== undefined && flags.cert === undefined) {
      throw new OciError('USAGE', '--key is the key of a TLS client certificate, and goes with --cert', {
        hint: `the signer's key: --public-key ${flags.key}`,
      });
    }
    const verified = await verify(client, args.image, verifyOptions(flags));
    const { signatures, refused, unchecked, ...image } = verified;
    for (const line of unchecked) note(`not checked: ${line}`);
    answer(
      {
        ...image,
        signatures: signatures.map(({ form, origin, signed, kind, signer, ...more }) => ({
          form,
          digest: origin,
          signed,
          kind,
          signer,
          ...more,
        })),
        refused: refused.map(({ form, origin, reason }) => ({ form, digest: origin, reason })),
        unchecked,
      },
      () => signatureLines(signatures),
    );
  }
}
