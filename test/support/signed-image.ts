// Signatures put where cosign puts them, beside images in a registry.
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
