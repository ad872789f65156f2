// Signatures put where cosign puts them, beside images in a registry, and a key in the form that skopeo and cosign take.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Descriptor } from '../../src/manifest/descriptor.ts';
import { OCI_CONFIG, OCI_MANIFEST } from '../../src/manifest/media-types.ts';
import type { ImageTarget } from '../../src/place/place.ts';
import { writeSmall } from '../../src/place/write-small.ts';
import { type Digest, digestOf } from '../../src/reference/digest.ts';
import type { Reference } from '../../src/reference/reference.ts';
import type { CosignAnnotations } from '../../src/verify/signature.ts';

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';

/** Writes signatures of the tag form, all that `of` is to have. */
export async function putTagSignatures(
  target: ImageTarget,
  of: Reference,
  digest: Digest,
  signatures: { payload: Buffer; annotations: CosignAnnotations }[],
): Promise<void> {
  const config = await put(target, OCI_CONFIG, Buffer.from('{"architecture":"","os":"","rootfs":{}}'));
  const layers = [];
  for (const { payload, annotations } of signatures) {
    const layer = await put(target, 'application/vnd.dev.cosign.simplesigning.v1+json', payload);
    const { signature, certificate, chain, log } = annotations;
    layers.push({
      ...layer,
      annotations: {
        'dev.cosignproject.cosign/signature': signature,
        ...(certificate !== undefined && { 'dev.sigstore.cosign/certificate': certificate }),
        ...(chain !== undefined && { 'dev.sigstore.cosign/chain': chain }),
        ...(log !== undefined && { 'dev.sigstore.cosign/bundle': log }),
      },
    });
  }
  const manifest = await put(
    target,
    OCI_MANIFEST,
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers })),
  );
  const { registry, repository } = of;
  await target.tag(manifest, { registry, repository, tag: `${digest.replace(':', '-')}.sig` });
}

/** Writes a bundle as a referrer of `subject`. */
export async function putBundle(
  target: ImageTarget,
  subject: Descriptor,
  bundle: Buffer,
  annotations: Record<string, string> = {},
): Promise<Descriptor> {
  const config = await put(target, EMPTY, Buffer.from('{}'));
  const layer = await put(target, BUNDLE, bundle);
  const { mediaType, digest, size } = subject;
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType: BUNDLE,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations,
  };
  return await put(target, OCI_MANIFEST, Buffer.from(JSON.stringify(document)));
}

async function put(target: ImageTarget, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await writeSmall(target, descriptor, bytes);
  return descriptor;
}

/** A key pair for tests, made once with go-securesystemslib; the passphrase is `testing`. */
const KEY = `-----BEGIN ENCRYPTED COSIGN PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJlK2xGRnB0NnRVUHBZck5MMEhLZlcvZ1J3S0tJdmgz
Y3ZUQ0ZObXJQeTRvPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJTOEI3dm0rTm5pRndIT1IzMTd5bjFKWDEwUitpQ0x1dSJ9LCJj
aXBoZXJ0ZXh0IjoiTFltcm5wN204VlNxWnRuWDduUk9TalluWFhIYndnTW1wOU5J
T3BLYW93U3pkQXZJQWtjbU4xM0tVQ0M3dTMrNi9SL3JueFBxb1k5MlNBNmtjVThX
LzBXTmtzQjRsRnBGV0NCbHhjSEVHU1Mvbzc2VGFURUJDNHN5RUVXR2dtSGdKaHBp
TzZkNzFFcDcvczFEV0d0NWQ0WUNMSFBTL0VhZStaZU9wK3VTbUp2eFZoZXQ5dU1n
ckJYS1VzdldvS2VsYjVKM0tOMVVQSWMwRFE9PSJ9
-----END ENCRYPTED COSIGN PRIVATE KEY-----
`;
const PUBLIC_KEY = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAETJMhjKbKf/fWFp/VkD+gCNzXhXXd
PUuNcK6h4yyqOvLBeByUMNXvqskRPMAK1hGzxEikqh+Jf+2HScYgO4sUPg==
-----END PUBLIC KEY-----
`;

export interface CosignKey {
  key: string;
  publicKey: string;
  passphrase: string;
  /** skopeo's `--registries.d`: attachments are used everywhere. */
  registriesD: string;
}

/** The key pair as files of a new folder inside `dir`. */
export function cosignKey(dir = tmpdir()): CosignKey {
  const folder = mkdtempSync(join(dir, 'cosign-key-'));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  file('attachments.yaml', 'default-docker:\n  use-sigstore-attachments: true\n');
  return {
    key: file('cosign.key', KEY),
    publicKey: file('cosign.pub', PUBLIC_KEY),
    passphrase: file('passphrase', 'testing'),
    registriesD: folder,
  };
}
